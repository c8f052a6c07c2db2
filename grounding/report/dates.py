"""When a run was made, and how long it took, in words."""

from collections.abc import Sequence
from datetime import UTC, datetime

from ..measures.counts import count_of
from ..trials.trial import Outcome


def period(started: str, ended: str, outcomes: Sequence[Outcome], noun: str = "trial") -> str:
    """The date, the time of day and what trials took; "" where nothing of it is known.

    Args:
        started: When the run began, as ISO 8601; "" or something else where that is not known.
        ended: The same of its end.
        outcomes: Its trials; several at a time may take longer together than the run.
        noun: What one of them is called.
    """
    begin, end = _moment(started), _moment(ended)
    spent = sum(outcome.seconds for outcome in outcomes)
    parts = [
        _between(begin, end),
        f"{count_of(len(outcomes), noun)} took {duration(spent)}{' together' if len(outcomes) > 1 else ''}"
        if spent > 0
        else "",
    ]
    return "; ".join(part for part in parts if part)


def duration(seconds: int | float) -> str:
    """Seconds in words: 9 s, 4 min 12 s, 3 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if seconds >= 1 else "less than a second"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def day(moment: str) -> str:
    """The date of an ISO 8601 moment; "" where it is none."""
    found = _moment(moment)
    return _date(found) if found else ""


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip


def _date(moment: datetime) -> str:
    return f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}"


def _between(begin: datetime | None, end: datetime | None) -> str:
    known = begin or end
    if known is None:
        return ""
    if begin is None or end is None or begin.replace(second=0) == end.replace(second=0):
        return f"{_date(known)}, {known:%H:%M} UTC"
    if begin.date() == end.date():
        return f"{_date(begin)}, {begin:%H:%M} to {end:%H:%M} UTC"
    return f"{_date(begin)}, {begin:%H:%M} to {_date(end)}, {end:%H:%M} UTC"
