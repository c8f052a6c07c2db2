"""How long an experiment may take, as people write it."""

import re

from ...datasets.errors import UsageError

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PART = r"(\d+(?:\.\d+)?)([smhd])"


def parse_duration(text: str) -> float:
    """Seconds of "90s", "30m", "2h", "1h30m" or "2d". Raises `UsageError` for anything else."""
    written = text.replace(" ", "")
    parts = re.findall(_PART, written)
    if not re.fullmatch(f"({_PART})+", written) or not (
        total := sum(float(n) * SECONDS[u] for n, u in parts)
    ):
        raise UsageError(f"{text!r}: a time is written 2h, 30m, 90s or 1h30m")
    return total


def told_duration(seconds: float) -> str:
    """The same in two of its units at most: "2 h 5 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    for size, unit, next_size, next_unit in (
        (86400, "days", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"),
    ):  # fmt: skip
        if seconds >= size:
            whole, rest = divmod(round(seconds / next_size), size // next_size)
            return f"{whole:,} {unit}" + (f" {rest} {next_unit}" if rest else "")
    raise AssertionError(seconds)
