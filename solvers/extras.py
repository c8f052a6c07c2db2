"""Optional dependencies: imported where they are used, and missed in the user's words."""

import importlib
from typing import Any


class MissingExtraError(ImportError):
    """An optional dependency is not installed; what needs it is skipped, and this is the reason."""


def require(module: str, extra: str, package: str) -> Any:
    """The imported `module`, or `MissingExtraError` that names the `package` and groundcheck's `extra`."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"this needs {package}, which is not installed: pip install 'groundcheck[{extra}]'"
        ) from error
