"""The gallery's page: every control, what must catch it, and what did catch it when it was run.

    python benchmarks/controls.py -o docs/gallery.md

Runs the solvers and the training code of tests/controls, which tests hold to the same. Exits with 1 where a
broken one was missed, or a sound one was not left alone.
"""

import argparse
import contextlib
import io
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).parents[1]
# `import satnet` does not mean what stands beside this script.
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).parent.resolve()]
sys.path.insert(0, str(ROOT / "tests" / "controls"))

import audited  # noqa: E402
import gallery  # noqa: E402
import gallery_robust  # noqa: E402
import gallery_trained  # noqa: E402
import sound  # noqa: E402
import test_audit_controls as audit_controls  # noqa: E402
import test_contract_controls as contract_controls  # noqa: E402
import test_handed_on as handed_on  # noqa: E402
import test_robust_controls as robust_controls  # noqa: E402
import test_trained_controls as trained_controls  # noqa: E402

from groundcheck.datasets.image_source import ImageSource  # noqa: E402
from groundcheck.datasets.mapping import Mapping  # noqa: E402
from groundcheck.datasets.task import Task  # noqa: E402
from groundcheck.grounding.checks.bypass import Grounded, bypass  # noqa: E402
from groundcheck.grounding.checks.contract.contract import check_contract  # noqa: E402
from groundcheck.grounding.checks.finding import Finding  # noqa: E402
from groundcheck.grounding.engines.children import Limits  # noqa: E402
from groundcheck.grounding.engines.errands import examine  # noqa: E402
from groundcheck.grounding.engines.inspection import Inspection  # noqa: E402
from groundcheck.grounding.trials.session import LocalSession  # noqa: E402
from groundcheck.grounding.trials.spec import SolverSpec  # noqa: E402
from groundcheck.grounding.trials.training import Training  # noqa: E402
from groundcheck.grounding.trials.trial import Trial  # noqa: E402

TASK = contract_controls.TINY_TASK
NOTHING = "nothing"


@dataclass(frozen=True)
class Control:
    """A solver, loss or step that was written to be caught, or to be left alone."""

    name: str
    does: str
    must: frozenset[str]  # ids of checks; none of a sound one
    run: Callable[[], Iterable[Finding]]

    @property
    def row(self) -> str:
        """Its row as far as it is known before it was run."""
        return f"| `{self.name}` | {self.does} | {told(self.must)} |"

    @property
    def caught(self) -> frozenset[str]:
        """The checks that failed or broke on it."""
        return frozenset(f.check for f in self.run() if f.status in ("fail", "error"))


def told(checks: Iterable[str]) -> str:
    """Ids as a cell."""
    return ", ".join(f"`{check}`" for check in sorted(checks)) or NOTHING


def described(thing: Any) -> str:
    """The first paragraph of its own docstring."""
    documented = thing if isinstance(thing, type | FunctionType) else type(thing)
    own = vars(documented).get("__doc__") if isinstance(documented, type) else documented.__doc__
    return " ".join((own or "").split("\n\n")[0].split()).replace("|", "\\|")


def named(thing: Any) -> str:
    """As it is called in its file."""
    return getattr(thing, "__name__", "an_object")


def broken_solvers() -> Iterator[Control]:
    """Those of the contract: the solver is looked at, not trained."""
    for solver in gallery.GALLERY:
        yield Control(
            named(solver), described(solver), frozenset(solver.caught_by), partial(_contract, solver)
        )


def _contract(solver: type) -> Iterable[Finding]:
    if solver in gallery.DEADLY:
        limits = Limits(10.0 if solver is gallery.Hangs else 60.0, 1.0)
        return examine(_inspection(f"gallery:{solver.__name__}"), limits)
    task = contract_controls.BOARD if solver in contract_controls.ON_A_BOARD else TASK
    return check_contract(SolverSpec.of(solver), task)


def _inspection(solver: Any) -> Inspection:
    return Inspection(SolverSpec.of(solver), TASK, Training(), ImageSource())


def sound_solvers() -> Iterator[Control]:
    """Those that every check of contract and leaks has to leave alone."""
    for solver in sound.SOUND:
        yield Control(named(solver), described(solver), frozenset(), partial(_left_alone, solver))


def _left_alone(solver: Any) -> Iterable[Finding]:
    return _inspection(solver).findings()


def trained_solvers() -> Iterator[Control]:
    """Those that keep the contract, and are given away by training."""
    small = trained_controls.SMALL
    for name, must, task, seeds in (
        ("LeaksThroughTheLoss", {"leak/labels", "grounding"}, replace(small, supervision="leaky"), 1),
        ("RelabelsWhatItIsGiven", {"contract/equivariance", "grounding", "reasoning"}, small, 2),
        ("HandsThrough", {"reasoning"}, small, 1),
        ("RemembersTheTruth", {"bypass/shuffle", "bypass/permute", "bypass/corrupt"}, small, 1),
    ):
        does = described(getattr(gallery_trained, name))
        yield Control(name, does, frozenset(must), partial(_suite, name, task, seeds))
    for name, seeds in (("PassesOn", 2), ("Highway", 2), ("PassesOnTurned", 3)):
        solver = getattr(gallery_trained, name)
        yield Control(name, described(solver), frozenset({"bypass/copy"}), partial(_handed_on, solver, seeds))
    hides = gallery_trained.HidesACode
    yield Control("HidesACode", described(hides), frozenset({"bypass/symbols"}), partial(_coded, hides))


def _suite(name: str, task: Task, seeds: int) -> Iterable[Finding]:
    return trained_controls.checked(name, task, seeds).tasks[0].findings


def _handed_on(solver: type, seeds: int) -> Iterable[Finding]:
    return bypass.run(Grounded([handed_on.trained(solver, seed) for seed in range(seeds)]))


def _coded(solver: type) -> Iterable[Finding]:
    task = Mapping(symbols=6, bijection=(1, 2, 3, 4, 5, 0))
    spec = SolverSpec("mlp")
    trial = Trial(task=task, solver=spec, role="grounding", seed=0, training=handed_on.SHORT)
    session = LocalSession(trial)
    _, found = session.finish(handed_on.Coded(solver(task.problem), session.sets))
    return bypass.run(Grounded([found] if found else []))


def beyond_solvers() -> Iterator[Control]:
    """Those that only boards beyond the test set, or how sure they are, give away."""
    for solver, must in (
        (gallery_robust.RightWithoutCorruption, {"robust/drop"}),
        (gallery_robust.CopiesGivens, {"robust/copies"}),
        (gallery_robust.SureAndWrong, {"abstain/clean", "abstain/corrupted", "abstain/calibration"}),
        (gallery_robust.AbstainsOnEverything, {"abstain/clean", "abstain/corrupted"}),
    ):
        yield Control(
            named(solver), described(solver), frozenset(must), partial(_asked_beyond, named(solver))
        )


def _asked_beyond(name: str) -> Iterable[Finding]:
    with robust_controls.as_many_boards_as_usual():
        baseline = robust_controls.trained("mlp", "baseline", robust_controls.LONGER)
        return robust_controls.findings(f"gallery_robust:{name}", baseline).values()


def audited_code(codes: Iterable[Any], must: Iterable[str]) -> Iterator[Control]:
    """Losses and steps, as `audit` runs them."""
    for code in codes:
        steps = 24 if named(code) in audit_controls.LONG else 4
        yield Control(named(code), described(code), frozenset(must), partial(_audit, code, steps))


def _audit(code: Any, steps: int) -> Iterable[Finding]:
    with contextlib.redirect_stdout(io.StringIO()):  # one of them prints
        findings = audit_controls.tried(code, steps).findings
    # That a loss counts the givens in its mean is told of a leaky one too, and is none of what must be.
    return [finding for finding in findings if finding.check != "audit/scale"]


SECTIONS: tuple[tuple[str, str, Callable[[], Iterator[Control]]], ...] = (
    (
        "Broken solvers",
        "Each keeps the contract but for one thing. The whole contract runs on each, on a mapping of four "
        "symbols or a 4×4 Sudoku, and the checks that fail have to be those that were made for it, and no "
        "others.",
        broken_solvers,
    ),
    (
        "Broken solvers that training gives away",
        "These are trained, on mappings of three or six symbols. At least what must catch them has to.",
        trained_solvers,
    ),
    (
        "Broken solvers that boards beyond the test set give away",
        "These are trained on a mapping of three symbols, and asked with `--robust` beside a network without "
        "logic that learned the task as well.",
        beyond_solvers,
    ),
    (
        "Sound solvers",
        "Contract and leak checks have to leave each of them alone.",
        sound_solvers,
    ),
    (
        "Leaky training code",
        "Losses and training steps for `audit`.",
        lambda: audited_code([*audited.LEAKY_LOSSES, *audited.LEAKY_STEPS], ["audit/labels"]),
    ),
    (
        "Training code that trains nothing",
        "No gradient reaches the model.",
        lambda: audited_code(audited.IDLE, ["audit/gradient"]),
    ),
    ("Sound training code", "`audit` has to leave it alone.", lambda: audited_code(audited.SOUND, [])),
)
HEAD = """# The gallery

A check is worth what it catches, and what it leaves alone. Below stand the solvers and the training code that
were written for that, in `tests/controls/`: each with what it does, the checks that must catch it, and those
that did in the run that wrote this page. Tests hold every change of the code to the same.

```
python benchmarks/controls.py -o docs/gallery.md
```
"""
FOOT = """## Controls that are held by tests alone

Solvers that hang, end their process, die or run out of memory while they are trained cost their own trials,
and the suite goes on (`test_trained_controls.py`). Solvers that replace the scoring, forge what it says, or
search the memory for sealed labels get the scores of the same network without that, and one that inverts
the seed is caught by `brought` (`test_apart.py`). One that copies a given answers no board; of one that
passes half of its names on, those names are told over seeds, and no check fails before it answers every
name differently (`test_handed_on.py`).
"""


def written(title: str, told_first: str, controls: list[Control]) -> tuple[list[str], list[str]]:
    """A section of the page, and the names of the controls that did not come out as they must."""
    lines = [f"## {title}", "", f"{len(controls)} controls. {told_first}", ""]
    lines += ["| control | what it does | must be caught by | caught by |", "|---|---|---|---|"]
    wrong: list[str] = []
    for control in controls:
        # What one control draws or leaves behind is nothing to the next.
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002
        random.seed(0)
        audited.EARLIER.clear()
        audited.SEEN.clear()
        caught = control.caught
        print(f"{control.name}: {told(caught)}", flush=True)
        if not control.must <= caught or (not control.must and caught):
            wrong.append(control.name)
        lines.append(f"{control.row} {told(caught)} |")
    return [*lines, ""], wrong


def main() -> None:
    """Runs every control and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    lines, wrong = [HEAD], []
    for title, told_first, controls in SECTIONS:
        section, missed = written(title, told_first, list(controls()))
        lines += section
        wrong += missed
    options.output.write_text("\n".join([*lines, FOOT]))
    if wrong:
        raise SystemExit(f"not as they must be: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
