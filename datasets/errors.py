"""What a user can mend: the errors that are told in one sentence, without a traceback."""


class UsageError(ValueError):
    """A user asked for what cannot be meant; the message says what came, what fits, and what to do."""


class UnknownNameError(UsageError):
    """A name that nothing is registered under; the message suggests the nearest."""


class UnusableFileError(UsageError, OSError):
    """A file or folder of the user's that cannot be read or written; the message names it."""


class DataUnavailableError(RuntimeError):
    """Files of an image set or a data set are missing, damaged, or not what they should be."""
