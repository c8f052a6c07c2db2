"""The scoring of one trial: beside its network, or in another process that never ran the solver's code.

Towards scoring, only arrays cross (NumPy's format without pickles): nothing that a solver sends is run there.
Towards the trial go the puzzles: those that train with their answers, held-out ones without any.
"""

import io
import pickle
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from multiprocessing.connection import Connection
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from ...datasets.batch import Examples
from ...datasets.image_set import Gallery, ImageSet
from ...datasets.task import Split, Task, textual
from ..measures.beyond import Beyond
from ..measures.interface import Passed
from ..measures.interventions import Interventions
from ..measures.metrics import Scores
from ..perception.spec import PerceptionSpec
from .answers import Answers, Held
from .beyond import BeyondTest
from .checkpoint import read_curve, write_curve
from .corrupted import OOD_PUZZLES
from .guessing import with_guesses
from .probing import unlabelled
from .recording import Recorded
from .scoring import EvaluationSet, evaluate, intervened, make_evaluation_set, measure_point
from .spec import SolverSpec
from .training import Progress
from .trial import Outcome, Point, Trial
from .wrong_answers import with_wrong_answers

ARRAYS = ("image", "symbols", "given", "answer")
HELD_OUT: tuple[Split, ...] = ("validation", "test")


def drawn_task(trial: Trial) -> Task:
    """The task as a trial meets it: drawn from its seed, and seen as symbols where it is the control."""
    task = trial.task.drawn(trial.seed)
    return textual(task) if trial.role == "reasoning" else task


@runtime_checkable
class Session(Protocol):
    """Hands a trial what it trains on, and scores what it trained."""

    training: Examples
    held_out: Mapping[Held, Examples]  # their answers are sealed too: −1 throughout

    def measure(self, answers: Answers, progress: Progress) -> Point:
        """A point of the learning curve."""
        ...

    def finish(self, answers: Answers) -> tuple[Scores, Interventions | None]:
        """What the trained network scores, and what is left after interventions where those are due."""
        ...

    def beyond(self, answers: Answers) -> Beyond | None:
        """After `finish`, what it does beyond the test set; None where that is not asked."""
        ...

    def keep(self, key: str, epoch: int) -> None:
        """Keeps the points measured so far, for the checkpoint of that epoch. Raises `OSError`."""
        ...

    def resume(self, key: str, epoch: int) -> list[Point]:
        """The points up to an epoch as they were kept; from now on they are those measured so far.

        Raises `OSError` or `ValueError` where they are not there, or not whole.
        """
        ...


class LocalSession:
    """Scoring in this process."""

    def __init__(self, trial: Trial) -> None:
        task = drawn_task(trial)
        images = replace(trial.images, device="cpu").load()
        taught = replace(task, supervision="leaky") if trial.role == "ceiling" else task
        self.trial = trial
        self.curve: list[Point] = []
        taught_on = make_evaluation_set(taught, "train", trial.training.puzzles, trial.seed, images)
        self.training, self.taught = taught_on.examples, taught_on.sealed
        if trial.role != "ceiling":
            share = trial.training.wrong_answers
            self.training = with_wrong_answers(self.training, task.problem, share, trial.seed)
        sizes = {"validation": trial.validation_puzzles, "test": trial.test_puzzles}
        self.sets: dict[Split, EvaluationSet] = {
            split: make_evaluation_set(task, split, sizes[split], trial.seed, images) for split in HELD_OUT
        }
        self.further = _further(trial, task, images, self.sets["test"])
        asked: dict[Held, EvaluationSet] = {**self.sets, **(self.further.sets if self.further else {})}
        self.held_out: Mapping[Held, Examples] = {
            split: replace(found.examples, answer=torch.full_like(found.examples.answer, -1))
            for split, found in asked.items()
        }

    def measure(self, answers: Answers, progress: Progress) -> Point:
        """As `Session.measure`."""
        interface = self.trial.training.interface
        self.curve.append(measure_point(answers, self.sets["validation"], progress, self.taught, interface))
        return self.curve[-1]

    def finish(self, answers: Answers) -> tuple[Scores, Interventions | None]:
        """As `Session.finish`."""
        test, validation, role = self.sets["test"], self.sets["validation"], self.trial.role
        scores = evaluate(answers, test, validation, deduced=role == "ceiling")
        scores = self.scores = with_guesses(scores, self.training, test)
        due = role == "grounding"
        return scores, intervened(answers, test, validation, scores) if due else None

    # The points of before come from a file that scoring wrote, and never from the process that trains, which
    # may only say, once and before anything is measured, how far it goes back. Nor is a point measured twice,
    # so that one that was kept can be chosen. A solver that writes into that file could write into the run's
    # records as well, as it always could: it is code of the user's, on the user's machine.

    def keep(self, key: str, epoch: int) -> None:
        """As `Session.keep`."""
        write_curve(self.trial, key, epoch, self.curve)

    def resume(self, key: str, epoch: int) -> list[Point]:
        """As `Session.resume`."""
        if self.curve:
            raise ValueError("a trial that was measured cannot go back")
        self.curve[:] = read_curve(self.trial, key, epoch)
        return list(self.curve)

    def beyond(self, answers: Answers) -> Beyond | None:
        """As `Session.beyond`."""
        if self.further is None:
            return None
        return self.further.score(answers, self.scores, rules_only=self.trial.role == "ceiling")


def _further(trial: Trial, task: Task, images: ImageSet, test: EvaluationSet) -> BeyondTest | None:
    """What is asked beyond the test set."""
    if not trial.evaluation.asks:
        return None
    ood = None
    if trial.evaluation.robust:
        ood = make_evaluation_set(task, "ood", min(OOD_PUZZLES, trial.test_puzzles), trial.seed, images)
    return BeyondTest(test, ood, trial.evaluation, trial.training, trial.seed)


@dataclass
class Scored:
    """What a scoring process found of a trial."""

    curve: list[Point] = field(default_factory=list)
    scores: Scores | None = None
    interventions: Interventions | None = None
    beyond: Beyond | None = None

    def told(self, outcome: Outcome) -> Outcome:
        """The outcome of the trial with what was found of it here, whatever it says of itself."""
        return replace(
            outcome,
            curve=self.curve,
            scores=self.scores,
            interventions=self.interventions,
            beyond=self.beyond,
        )


class ScoringError(RuntimeError):
    """Scoring broke off."""


class RemoteSession:
    """Scoring by a process at the other end of a pipe, which leads: it asks, and the network answers."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        training, held_out = self._hear("ready", None)
        self.training = _examples(training)
        self.held_out: Mapping[Held, Examples] = {split: _examples(one) for split, one in held_out.items()}

    def measure(self, answers: Answers, progress: Progress) -> Point:
        """As `Session.measure`."""
        heard = [] if progress.gradient is None else [progress.gradient]
        numbers = [progress.epoch, progress.loss, progress.skipped, progress.no_gradient, *heard]
        self._say("measure", progress=np.array(numbers, dtype=np.float64), **_told(progress.recorded))
        return self._hear("done", answers)

    def finish(self, answers: Answers) -> tuple[Scores, Interventions | None]:
        """As `Session.finish`."""
        self._say("finish")
        return self._hear("done", answers)

    def keep(self, key: str, epoch: int) -> None:
        """As `Session.keep`."""
        self._say("keep", key=np.array(key), epoch=np.array(epoch))
        self._settle()

    def resume(self, key: str, epoch: int) -> list[Point]:
        """As `Session.resume`."""
        self._say("resume", key=np.array(key), epoch=np.array(epoch))
        return self._settle()

    def _settle(self) -> Any:
        """What came of a request about files, or what was raised over them; scoring goes on either way."""
        found = self._hear("done", None)
        if isinstance(found, Exception):
            raise found
        return found

    def beyond(self, answers: Answers) -> Beyond | None:
        """As `Session.beyond`."""
        self._say("beyond")
        return self._hear("done", answers)

    def _say(self, kind: str, **arrays: Any) -> None:
        self.pipe.send_bytes(encode(kind, **arrays))

    def _hear(self, awaited: str, answers: Answers | None) -> Any:
        """What comes of a request; meanwhile the network answers what scoring asks."""
        while True:
            kind, content = self.pipe.recv()
            if kind == "raised":
                raise content
            if kind == awaited:
                return content
            name, arguments = content
            found = getattr(answers, name)(*arguments)
            parts = found if isinstance(found, tuple) else (found,)
            self._say("answer", **{f"part{number}": part for number, part in enumerate(parts)})


class _EndedError(Exception):
    """The trial has no more to ask, or broke off in the middle of an answer."""


@dataclass(frozen=True)
class _Asked:
    """The network at the other end of a pipe."""

    pipe: Connection

    def read(self, split: Held, most: int | None) -> Any:
        predicted, sure = self._ask("read", split, most)
        return predicted, sure

    def predict(self, split: Held) -> Any:
        return self._ask("predict", split)[0]

    def believe(self, split: Held, most: int) -> Any:
        return self._ask("believe", split, most)[0]

    def probe(self, split: Split, most: int) -> Any:
        return self._ask("probe", split, most)[0]

    def complete(self, beliefs: Any, given: Any) -> Any:
        return self._ask("complete", beliefs, given)[0]

    def _ask(self, name: str, *arguments: Any) -> list[Any]:
        self.pipe.send(("ask", (name, arguments)))
        kind, arrays = decode(self.pipe.recv_bytes())
        if kind != "answer":
            raise _EndedError
        return [arrays[f"part{number}"] for number in range(len(arrays))]


def end_session(pipe: Connection) -> None:
    """Leaves the process that scored free for the next trial."""
    pipe.send_bytes(encode("end"))


def serve(trial: Trial, pipe: Connection, scored: Callable[[Scored], None] = lambda _: None) -> None:
    """Scores the trial at the other end of the pipe, until that says that it is over.

    `scored` hears once what was found, before the trial does. What breaks here is raised there.
    """
    try:
        session = LocalSession(trial)
        found = Scored(session.curve)
        held_out = {split: _arrays(examples) for split, examples in session.held_out.items()}
        pipe.send(("ready", (_arrays(session.training), held_out)))
        while True:
            kind, arrays = decode(pipe.recv_bytes())
            if kind == "measure":
                epoch, loss, skipped, unheard, *heard = (float(n) for n in arrays["progress"])
                point = session.measure(
                    _Asked(pipe),
                    Progress(int(epoch), loss, skipped, next(iter(heard), None), unheard, _recorded(arrays)),
                )
                pipe.send(("done", unlabelled(point)))
            elif kind in ("keep", "resume"):
                pipe.send(("done", _of_files(session, kind, str(arrays["key"]), int(arrays["epoch"]))))
            elif kind == "finish":
                found.scores, found.interventions = session.finish(_Asked(pipe))
                if not trial.evaluation.asks:
                    scored(found)
                pipe.send(("done", (found.scores, found.interventions)))
            elif kind == "beyond":
                found.beyond = session.beyond(_Asked(pipe))
                scored(found)
                pipe.send(("done", found.beyond))
            else:
                return
    except (_EndedError, EOFError):
        return
    except Exception as error:
        with suppress(EOFError, ConnectionError):  # nobody is there any more
            pipe.send(("raised", _sendable(error)))
            pipe.recv_bytes()  # the trial says that it ends


def _of_files(session: LocalSession, kind: str, key: str, epoch: int) -> list[Point] | Exception | None:
    try:
        if kind == "keep":
            return session.keep(key, epoch)
        return [unlabelled(point) for point in session.resume(key, epoch)]
    except (OSError, ValueError) as error:
        return error


def without_solver(trial: Trial) -> Trial:
    """What a scoring process is told of a trial: of solver and perception the name, nothing to import."""
    perception = PerceptionSpec(trial.perception.name)
    return replace(
        trial,
        solver=SolverSpec(trial.solver.name),
        perception=perception,
        beside=None,
        trace=None,
        log=None,
    )


def encode(kind: str, **arrays: Any) -> bytes:
    """Arrays as one process tells them to another, with a word that says what they are."""
    content = io.BytesIO()
    np.savez(content, kind=np.array(kind), **arrays)
    return content.getvalue()


def decode(content: bytes) -> tuple[str, dict[str, Any]]:
    """What `encode` wrote; never unpickles."""
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    return str(arrays.pop("kind")), arrays


MEASURED = ("perception_update", "solver_update", "norm", "largest_norm")  # of `Recorded`, in its order


def _told(recorded: Recorded | None) -> dict[str, Any]:
    """What was recorded in an epoch, as arrays."""
    if recorded is None:
        return {}
    measured = [getattr(recorded, name) for name in MEASURED]
    numbers = [recorded.steps, *(np.nan if number is None else number for number in measured)]
    passed = {} if recorded.passed is None else vars(recorded.passed)
    return {"recorded": np.array(numbers, dtype=np.float64), **passed}


def _recorded(arrays: dict[str, Any]) -> Recorded | None:
    """What `_told` told; what does not fit together is taken for nothing recorded."""
    if "recorded" not in arrays:
        return None
    steps, *measured = (float(number) for number in arrays["recorded"])
    parts = [arrays[field.name] for field in fields(Passed) if field.name in arrays]
    return Recorded(
        int(steps),
        Passed(*parts) if len(parts) == len(fields(Passed)) else None,
        *(None if np.isnan(number) else number for number in measured),
    )


def _arrays(examples: Examples) -> dict[str, Any]:
    arrays = {name: getattr(examples, name).numpy(force=True) for name in ARRAYS}
    return {"pictures": examples.gallery.pictures.numpy(force=True), **arrays}


def on_device(examples: Examples, device: str) -> Examples:
    """The same examples where a network lies."""
    moved = {name: getattr(examples, name).to(device) for name in ARRAYS}
    return Examples(Gallery(examples.gallery.pictures.to(device)), **moved)


def _examples(arrays: dict[str, Any]) -> Examples:
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return Examples(Gallery(tensors.pop("pictures")), **tensors)


def _sendable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return ScoringError(f"{type(error).__name__}: {error}")
    return error
