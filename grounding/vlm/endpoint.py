"""Where a model is asked, and the key for it, which stays in the environment."""

import ipaddress
import math
import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ...datasets.errors import UsageError

KEYS = ("GROUNDCHECK_API_KEY", "OPENAI_API_KEY")  # in this order


def key_from_environment() -> str | None:
    """The first of the variables that is set."""
    return next((os.environ[name] for name in KEYS if os.environ.get(name)), None)


@dataclass(frozen=True)
class Endpoint:
    """A model behind an address.

    Args:
        url: Up to and with /v1.
        model: As the server calls it.
        temperature: Of its answers.
        max_tokens: The most tokens of one reply.
        timeout: Seconds that a reply may take.
        concurrency: Requests under way at once.
        pause: Seconds before the first repetition; doubled with each further one.
        key: Of the server; by default from the environment. It is in no record and no message.

    Raises:
        UsageError: For an address that is none, or that holds a key; for a key that no request can carry, and
            numbers that cannot be meant.
    """

    url: str
    model: str
    temperature: float = 0.0
    max_tokens: int = 2048
    timeout: float = 120.0
    concurrency: int = 4
    pause: float = 0.5
    key: str | None = field(default_factory=key_from_environment, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:  # brackets that do not close, a port beyond 65535
            raise UsageError(
                "the url is no address: write it as http://127.0.0.1:11434/v1, with a port from 1 to 65535"
            ) from None
        if not known:
            raise UsageError(f"url {self.url!r}: it begins with http:// or https:// and ends in /v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise UsageError(
                f"the url of {parts.hostname} holds more than an address: a key is taken from the "
                f"environment ({' or '.join(KEYS)})"
            )
        if not self.model:
            raise UsageError("no model is named: say vlm:MODEL, as the server calls it")
        if not 0 < self.timeout < math.inf:
            raise UsageError(f"timeout={self.timeout:g}: a reply may take some seconds, more than 0")
        if not 0 <= self.temperature < math.inf:
            raise UsageError(f"temperature={self.temperature:g}: it is 0 or a number above")
        if self.key is not None and not (self.key.isascii() and self.key.isprintable()):
            raise UsageError(
                "the key in the environment holds a line break, or a letter that no key has: set "
                f"{' or '.join(KEYS)} to the key alone"
            )

    @property
    def local(self) -> bool:
        """Whether it is on this machine, where no proxy leads to."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"
