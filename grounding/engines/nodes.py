"""What a machine of a cluster does with a trial: it runs in another process, and is told of whole."""

import atexit
import importlib.util
import pickle
import platform
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ... import __version__
from ..trials.trial import Outcome, Trial
from .children import NO_LIMITS, OUTSIDE_LIMITS, Limits
from .pairs import Pairs

BREATH = 0.5  # seconds
GRACE = 1.0  # seconds
KILLED = "died of SIG"  # in the outcome of a trial whose process was ended by a signal
MAX_LOSSES = 3  # retries of a trial whose machine, or worker, was lost
DECIDING = ("torch", "numpy", "numba", "scipy", "scikit-learn")  # packages whose versions decide bits


class UnlikeNodeError(RuntimeError):
    """A node on which outcomes would not be those of the machine that asks."""


@dataclass(frozen=True)
class Told:
    """What a node tells of a trial.

    Attributes:
        outcome: What came of it; None where it could not be read there.
        node: Which machine ran it.
        log: What the solver printed.
        trace: Its lines per epoch.
        refusal: Why it could not be read.
    """

    outcome: Outcome | None
    node: str
    log: bytes = b""
    trace: bytes = b""
    refusal: str = ""

    def keep(self, trial: Trial) -> Outcome:
        """Writes log and trace to the files that the trial names on this machine.

        Returns:
            The outcome, of a solver that is called as the trial calls it.
        """
        for path, content in ((trial.log, self.log), (trial.trace, self.trace)):
            if path is not None and content:
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("ab") as file:
                    file.write(content)
        if self.outcome is None:
            return refused(trial, self.refusal)
        return replace(self.outcome, solver=trial.solver.name)


def versions() -> dict[str, str]:
    """Of all that decides the bits of an outcome, as far as it is software."""
    found = {"groundcheck": __version__, "python": platform.python_version()}
    for package in DECIDING:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found


def require_alike(asked: Mapping[str, str]) -> None:
    """Sees to it that this node has the versions of the machine that asks.

    Raises:
        UnlikeNodeError: Naming the node, and what to install.
    """
    own = versions()
    differing = {name: found for name, found in asked.items() if own.get(name) != found}
    if differing:
        here = ", ".join(f"{name} {own.get(name)}" for name in differing)
        wanted = " ".join(f"{name}=={found}" for name, found in differing.items() if name != "python")
        python = f" under Python {differing['python']}" if "python" in differing else ""
        raise UnlikeNodeError(
            f"node {socket.gethostname()} has {here}: outcomes would not be the same there; install on it "
            f"what this machine has: pip install {wanted or 'the same'}{python}"
        )


def run_on_node(
    trial: Trial, limits: Limits | None = None, meanwhile: Callable[[], None] = lambda: None
) -> Told:
    """Runs a trial here, in another process; what it does to that process is its outcome.

    A process that ran it may be kept for the next (`Pairs`): until this one ends, or `end_kept`.

    Args:
        trial: What to run; its log and trace are told of, and not written where it says.
        limits: Of that process; None: the usual ones, which are for solvers from outside alone.
        meanwhile: Is called again and again while it runs; what it raises ends the trial.
    """
    node = socket.gethostname()
    if (error := lacking(trial, node)) is not None:
        return Told(refused(trial, error), node)
    if limits is None:
        limits = NO_LIMITS if trial.solver.ours and trial.perception.ours else OUTSIDE_LIMITS
    with tempfile.TemporaryDirectory() as folder:
        log, trace = Path(folder) / "log", Path(folder) / "trace"
        here = replace(trial, log=trial.log and log, trace=trial.trace and trace)
        outcome = _run_apart(here, limits, meanwhile)
        if KILLED in (outcome.error or ""):
            time.sleep(
                GRACE
            )  # where all of a job's processes are killed, this one is as well, and tells nothing
        said, lines = (path.read_bytes() if path.exists() else b"" for path in (log, trace))
    return Told(outcome, node, said, lines)


def _run_apart(trial: Trial, limits: Limits, meanwhile: Callable[[], None]) -> Outcome:
    """The outcome of a trial in other processes, which end with this call where an exception ends it.

    It is listened for in short waits, so that an interruption that comes as an exception is met.
    """
    kept = limits == NO_LIMITS
    pairs = _kept() if kept else Pairs(1, limits)
    ended = False
    try:
        pairs.submit(0, trial)
        while not (told := pairs.hear(BREATH)):
            meanwhile()
        ended = True
        return told[0][1]
    finally:
        if not (kept and ended):
            pairs.end()


@cache
def _kept() -> Pairs:
    """Of this process."""
    pairs = Pairs(1)
    atexit.register(pairs.end)
    return pairs


def end_kept() -> None:
    """Ends the processes that `run_on_node` keeps."""
    _kept().end()


def unpickled(packed: bytes) -> Trial | Told:
    """A trial; or, where this node cannot import what it holds, what is told of that."""
    try:
        return pickle.loads(packed)
    except (ImportError, AttributeError) as error:
        node = socket.gethostname()
        return Told(None, node, refusal=unimportable(node, str(error)))


def lacking(trial: Trial, node: str) -> str | None:
    """Which code of the user's this node does not have; it is looked for, and not run."""
    for name in outside_names(trial):
        module = name.rpartition(":")[0]
        if is_file(module):
            found = Path(module).is_file()
        else:
            try:
                found = importlib.util.find_spec(module.partition(".")[0]) is not None
            except (ImportError, ValueError):
                found = False
        if not found:
            return unimportable(node, f"{name}: there is no {module} here")
    return None


def is_file(module: str) -> bool:
    """Whether what stands before the colon is a path, and not the name of a module."""
    return "/" in module or "\\" in module or module.endswith(".py")


def outside_names(trial: Trial) -> Iterator[str]:
    """What a trial names of a user's: file.py:attribute or module:attribute."""
    named = [trial.solver, trial.perception, *([trial.beside] if trial.beside else [])]
    for spec in named:
        if spec.factory is None and ":" in spec.name and not spec.name.startswith("torchvision:"):
            yield spec.name


def unimportable(node: str, what: str) -> str:
    """What to do about code that a node lacks."""
    return (
        f"node {node} cannot import {what}. Code in the working directory travels to the nodes of a Ray "
        "cluster when it is named as file.py:attribute or module:attribute there; name other folders with "
        "--on carry=PATH, or install the package on every node. Slurm's nodes must see it on a shared disk."
    )


def refused(trial: Trial, error: str) -> Outcome:
    """The outcome of a trial that did not begin."""
    return Outcome(trial.role, trial.task.name, trial.solver.name, trial.seed, error=error)


def lost_for_good(trial: Trial, losses: int, cause: str) -> Outcome:
    """The outcome of a trial that took its machine, or its worker, along more often than chance would."""
    return refused(
        trial,
        f"the worker of this trial was lost {losses} times, the last time so: {cause}; it was begun anew "
        f"{MAX_LOSSES} times: look whether it takes more memory than the node has",
    )
