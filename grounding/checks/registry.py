"""What a check is: an id, a function, a docstring that explains it; and how checks are run."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from .finding import Finding, Status

Subject = TypeVar("Subject")
SECTIONS = ("Failure", "Remedy", "Source")


class SkipCheckError(Exception):
    """Raised by a check that does not apply; its text is the reason."""


@dataclass(frozen=True)
class Result:
    """What the function of a check returns; the rest of a finding comes from its id and docstring."""

    status: Status
    reason: str
    figure: float | None = None
    bound: float | None = None
    interval: tuple[float, float] | None = None


def passed(
    reason: str,
    figure: float | None = None,
    bound: float | None = None,
    interval: tuple[float, float] | None = None,
) -> Result:
    """It holds."""
    return Result("pass", reason, figure, bound, interval)


def failed(
    reason: str,
    figure: float | None = None,
    bound: float | None = None,
    interval: tuple[float, float] | None = None,
) -> Result:
    """It does not hold."""
    return Result("fail", reason, figure, bound, interval)


@dataclass(frozen=True)
class Text:
    """The docstring of a check in its parts."""

    shows: str  # what it shows, and why that matters
    failure: str = ""  # how to read its failure
    remedy: str = ""
    source: str = ""


@dataclass(frozen=True)
class Check(Generic[Subject]):
    """One check: `examine` looks at a subject; `needs` are ids without which it would mean nothing."""

    id: str  # family/name
    examine: Callable[[Subject], Result]
    needs: tuple[str, ...] = ()

    @property
    def text(self) -> Text:
        """Its docstring, in parts."""
        return explain(self.examine)

    def run(self, subject: Subject, name: str = "") -> Finding:
        """Its finding, under the id and the name of what it was run on. An exception is a finding too."""
        found = f"{self.id}/{name}" if name else self.id
        try:
            result = self.examine(subject)
        except SkipCheckError as skipped:
            return Finding(found, "skip", str(skipped))
        except Exception as error:
            return Finding(found, "error", f"{type(error).__name__}: {error}", self.text.remedy)
        remedy = "" if result.status == "pass" else self.text.remedy
        return Finding(
            found, result.status, result.reason, remedy, result.figure, result.bound, result.interval
        )


def explain(function: Callable[..., object]) -> Text:
    """The parts of a docstring: free text, then paragraphs that begin with Failure:, Remedy: or Source:."""
    parts: dict[str, str] = {}
    for paragraph in (inspect.getdoc(function) or "").split("\n\n"):
        text = " ".join(paragraph.split())
        name, colon, rest = text.partition(": ")
        if colon and name in SECTIONS:
            parts[name.lower()] = rest
        else:
            parts["shows"] = f"{parts['shows']}\n\n{text}" if "shows" in parts else text
    return Text(**parts)


class Registry(Generic[Subject]):
    """Checks of one family, in the order in which they were written down."""

    def __init__(self, family: str) -> None:
        self.family = family
        self.checks: list[Check[Subject]] = []

    def check(
        self, name: str, *, needs: Iterable[str] = ()
    ) -> Callable[[Callable[[Subject], Result]], Callable[[Subject], Result]]:
        """Registers a function as `family/name`; `needs` are names of the same family."""

        def register(function: Callable[[Subject], Result]) -> Callable[[Subject], Result]:
            required = tuple(f"{self.family}/{other}" for other in needs)
            self.checks.append(Check(f"{self.family}/{name}", function, required))
            return function

        return register

    def run(
        self,
        subject: Subject,
        name: str = "",
        *,
        known: Mapping[str, Status] | None = None,
        starting: Callable[[str], None] = lambda _: None,
    ) -> Iterator[Finding]:
        """Runs every check that is not in `known`, which holds the statuses of those that ran before.

        One that needs a check that did not pass is skipped. `starting` hears an id before its check runs.
        """
        statuses = dict(known or {})
        for check in self.checks:
            if check.id in statuses:
                continue
            starting(check.id)
            lacking = [need for need in check.needs if statuses.get(need) not in ("pass", "inconclusive")]
            if lacking:
                found = f"{check.id}/{name}" if name else check.id
                finding = Finding(found, "skip", f"means nothing without {lacking[0]}, which did not pass")
            else:
                finding = check.run(subject, name)
            statuses[check.id] = finding.status
            yield finding
