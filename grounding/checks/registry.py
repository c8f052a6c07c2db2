"""What a check is: a name, a function that measures, a bound, and a docstring; and how checks are run."""

import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from .finding import Finding, Status

Subject = TypeVar("Subject")
Function = TypeVar("Function", bound=Callable[..., "Measurement | Result"])
SECTIONS = ("Failure", "Remedy", "Source")
BROKE = "Read the traceback: the check broke, and says nothing of what it looks at."


class SkipCheckError(Exception):
    """Raised by a check that does not apply; its text is the reason."""


class FailCheckError(Exception):
    """Raised by a check that fails before it can measure, or whatever its figure is.

    Its text is the reason; `figure` is what was measured nevertheless, `traceback` what the solver raised.
    """

    def __init__(self, reason: str, figure: float | None = None, traceback: str = "") -> None:
        super().__init__(reason)
        self.figure = figure
        self.traceback = traceback


@dataclass(frozen=True)
class Measurement:
    """What the function of a check with a bound returns: what it measured, and what that means in words.

    `bound` is given where it rests on what was measured (chance, for example), and the check is registered
    with `MEASURED`. A figure that is not `settled` decides nothing.
    """

    figure: float
    reason: str
    interval: tuple[float, float] | None = None
    bound: float | None = None
    settled: bool = True
    remedy: str = ""  # in place of the docstring's, where more is known


@dataclass(frozen=True)
class Result:
    """What the function of a check without a bound returns: it decides for itself."""

    status: Status
    reason: str
    figure: float | None = None
    bound: float | None = None
    interval: tuple[float, float] | None = None
    remedy: str = ""  # in place of the docstring's, where more is known


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


Direction = Literal["at_most", "at_least", "above", "below"]
MEASURED: Literal["measured"] = "measured"  # a bound that comes with the figure
Limit = float | Literal["measured"]
HOLDS: Mapping[Direction, Callable[[float, float], bool]] = {  # NaN holds nowhere
    "at_most": lambda figure, bound: figure <= bound,
    "at_least": lambda figure, bound: figure >= bound,
    "above": lambda figure, bound: figure > bound,
    "below": lambda figure, bound: figure < bound,
}


@dataclass(frozen=True)
class Criterion:
    """Where the figure of a check has to lie, and what it means where it does not."""

    direction: Direction
    limit: Limit
    otherwise: Literal["fail", "inconclusive"] = "fail"

    def judge(self, found: Measurement) -> Result:
        """Pass, or what it is otherwise."""
        bound = found.bound if self.limit == MEASURED else self.limit
        if bound is None or (self.limit != MEASURED and found.bound is not None):
            raise TypeError(f"the bound is registered as {self.limit!r}, and {found.bound!r} was measured")
        holds = HOLDS[self.direction](found.figure, bound)
        status: Status = ("pass" if holds else self.otherwise) if found.settled else "inconclusive"
        return Result(status, found.reason, found.figure, bound, found.interval, found.remedy)

    @property
    def words(self) -> str:
        """For the page of checks."""
        where = "the bound that is measured with it" if self.limit == MEASURED else f"{self.limit:g}"
        return f"{self.direction.replace('_', ' ')} {where}"


@dataclass(frozen=True)
class Text:
    """The docstring of a check in its parts."""

    shows: str  # what it shows, and why that matters
    failure: str = ""  # how to read its failure
    remedy: str = ""
    source: str = ""


@dataclass(frozen=True)
class Check(Generic[Subject]):
    """One check: `examine` looks at a subject; `needs` are ids without which it would mean nothing.

    With a criterion, `examine` measures and the criterion decides; without one it decides itself.
    """

    id: str  # family/name
    examine: Callable[[Subject], Measurement | Result]
    needs: tuple[str, ...] = ()
    criterion: Criterion | None = None

    @property
    def text(self) -> Text:
        """Its docstring, in parts."""
        return explain(self.examine)

    def run(self, subject: Subject, task: str = "") -> Finding:
        """Its finding on a task. An exception is a finding too."""
        try:
            result = self._decided(self.examine(subject))
        except SkipCheckError as skipped:
            return Finding(self.id, "skip", str(skipped), task=task)
        except FailCheckError as fail:
            limit = self.criterion.limit if self.criterion else None
            bound = None if limit == MEASURED else limit
            return Finding(
                self.id, "fail", str(fail), self.text.remedy, fail.figure, bound, task=task,
                traceback=fail.traceback,
            )  # fmt: skip
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            return Finding(self.id, "error", reason, BROKE, task=task, traceback=traceback.format_exc())
        remedy = "" if result.status == "pass" else result.remedy or self.text.remedy
        return Finding(
            self.id, result.status, result.reason, remedy, result.figure, result.bound, result.interval, task
        )

    def _decided(self, found: Measurement | Result) -> Result:
        if self.criterion is None and isinstance(found, Result):
            return found
        if self.criterion is not None and isinstance(found, Measurement):
            return self.criterion.judge(found)
        due = "a Result: it was registered without a bound" if self.criterion is None else "a Measurement"
        raise TypeError(f"{self.id} returned a {type(found).__name__}, and has to return {due}")


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
    """Checks of one family, or of a part of one, in the order in which they were written down.

    `place` orders the registries of a suite, and `trained` says that they look at trained networks. Both are
    read from the source as well, by who may not wait for torch (`names`): they are written as literals.
    """

    def __init__(self, family: str, *, place: int = 0, trained: bool = False) -> None:
        self.family = family
        self.place = place
        self.trained = trained
        self.checks: list[Check[Subject]] = []

    def id_of(self, name: str) -> str:
        """`family/name`; the name alone where the family has none; an id stays what it is."""
        if "/" in name:
            return name
        return f"{self.family}/{name}" if self.family else name

    def __getitem__(self, name: str) -> Check[Subject]:
        """The check of that name."""
        return next(check for check in self.checks if check.id == self.id_of(name))

    def check(
        self,
        name: str,
        *,
        needs: Iterable[str] = (),
        at_most: Limit | None = None,
        at_least: Limit | None = None,
        above: Limit | None = None,
        below: Limit | None = None,
        otherwise: Literal["fail", "inconclusive"] = "fail",
        decides: bool = False,
    ) -> Callable[[Function], Function]:
        """Registers a function as `family/name`; `needs` are names of the same family, or ids.

        One of the four bounds says where the figure has to lie that the function measures (`MEASURED`: the
        bound comes with it); beyond, the check has failed, or what `otherwise` says. A check that cannot be
        reduced to a bound says `decides`, and its function returns a `Result`.

        Raises `TypeError` where there is not exactly one of these.
        """
        limits: dict[Direction, Limit | None] = {
            "at_most": at_most, "at_least": at_least, "above": above, "below": below,
        }  # fmt: skip
        criteria = [Criterion(way, limit, otherwise) for way, limit in limits.items() if limit is not None]
        if len(criteria) + decides != 1:
            raise TypeError(f"{self.id_of(name)}: one bound, or decides=True, says when the check passes")

        def register(function: Function) -> Function:
            required = tuple(self.id_of(other) for other in needs)
            criterion = criteria[0] if criteria else None
            self.checks.append(Check(self.id_of(name), function, required, criterion))
            return function

        return register

    def run(
        self,
        subject: Subject,
        task: str = "",
        *,
        known: Mapping[str, Status] | None = None,
        starting: Callable[[str], None] = lambda _: None,
    ) -> Iterator[Finding]:
        """Runs every check that is not in `known`, which holds the statuses of those that ran before.

        One that needs a check that did not pass is skipped; one of another family counts where it is known.
        `starting` hears an id before its check runs.
        """
        statuses = dict(known or {})
        own = {check.id for check in self.checks}
        for check in self.checks:
            if check.id in statuses:
                continue
            starting(check.id)
            asked = [need for need in check.needs if need in own or need in statuses]
            lacking = [need for need in asked if statuses.get(need) not in ("pass", "inconclusive")]
            if lacking:
                reason = f"means nothing without {lacking[0]}, which did not pass"
                finding = Finding(check.id, "skip", reason, task=task)
            else:
                finding = check.run(subject, task)
            statuses[check.id] = finding.status
            yield finding
