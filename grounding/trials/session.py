"""The scoring of one trial: beside its network, or in another process that never ran the solver's code.

Towards scoring, only arrays cross (NumPy's format without pickles): nothing that a solver sends is run there.
Towards the trial go the puzzles: those that train with their answers, held-out ones without any.
"""

import io
import pickle
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from ...datasets.batch import Examples
from ...datasets.images import Gallery
from ...datasets.task import Split, Task, textual
from ..measures.interventions import Interventions
from ..measures.metrics import Scores
from .answers import Answers
from .guessing import with_guesses
from .scoring import EvaluationSet, evaluate, intervened, make_evaluation_set, measure_point
from .spec import SolverSpec
from .training import Progress
from .trial import Point, Trial
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
    held_out: Mapping[Split, Examples]  # their answers are sealed too: −1 throughout

    def measure(self, answers: Answers, progress: Progress) -> Point:
        """A point of the learning curve."""
        ...

    def finish(self, answers: Answers) -> tuple[Scores, Interventions | None]:
        """What the trained network scores, and what is left after interventions where those are due."""
        ...


class LocalSession:
    """Scoring in this process."""

    def __init__(self, trial: Trial) -> None:
        task = drawn_task(trial)
        images = replace(trial.images, device="cpu").load()
        taught = replace(task, supervision="leaky") if trial.role == "ceiling" else task
        self.trial = trial
        self.training = make_evaluation_set(
            taught, "train", trial.training.puzzles, trial.seed, images
        ).examples
        if trial.role != "ceiling":
            share = trial.training.wrong_answers
            self.training = with_wrong_answers(self.training, task.problem, share, trial.seed)
        sizes = {"validation": trial.validation_puzzles, "test": trial.test_puzzles}
        self.sets: dict[Split, EvaluationSet] = {
            split: make_evaluation_set(task, split, sizes[split], trial.seed, images) for split in HELD_OUT
        }
        self.held_out: Mapping[Split, Examples] = {
            split: replace(found.examples, answer=torch.full_like(found.examples.answer, -1))
            for split, found in self.sets.items()
        }

    def measure(self, answers: Answers, progress: Progress) -> Point:
        """As `Session.measure`."""
        return measure_point(answers, self.sets["validation"], progress)

    def finish(self, answers: Answers) -> tuple[Scores, Interventions | None]:
        """As `Session.finish`."""
        test, validation, role = self.sets["test"], self.sets["validation"], self.trial.role
        scores = evaluate(answers, test, validation, deduced=role == "ceiling")
        scores = with_guesses(scores, self.training, test)
        due = role == "grounding"
        return scores, intervened(answers, test, validation, scores) if due else None


@dataclass
class Scored:
    """What a scoring process found of a trial."""

    curve: list[Point] = field(default_factory=list)
    scores: Scores | None = None
    interventions: Interventions | None = None


class ScoringError(RuntimeError):
    """Scoring broke off."""


class RemoteSession:
    """Scoring by a process at the other end of a pipe, which leads: it asks, and the network answers."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        training, held_out = self._hear("ready", None)
        self.training = _examples(training)
        self.held_out: Mapping[Split, Examples] = {split: _examples(held_out[split]) for split in HELD_OUT}

    def measure(self, answers: Answers, progress: Progress) -> Point:
        """As `Session.measure`."""
        heard = [] if progress.gradient is None else [progress.gradient]
        numbers = [progress.epoch, progress.loss, progress.skipped, progress.no_gradient, *heard]
        self._say("measure", progress=np.array(numbers, dtype=np.float64))
        return self._hear("done", answers)

    def finish(self, answers: Answers) -> tuple[Scores, Interventions | None]:
        """As `Session.finish`."""
        self._say("finish")
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

    def read(self, split: Split, most: int | None) -> Any:
        predicted, sure = self._ask("read", split, most)
        return predicted, sure

    def predict(self, split: Split) -> Any:
        return self._ask("predict", split)[0]

    def believe(self, split: Split, most: int) -> Any:
        return self._ask("believe", split, most)[0]

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

    `scored` hears what was found before the trial does. What breaks here is raised there.
    """
    found = Scored()
    try:
        session = LocalSession(trial)
        held_out = {split: _arrays(session.held_out[split]) for split in HELD_OUT}
        pipe.send(("ready", (_arrays(session.training), held_out)))
        while True:
            kind, arrays = decode(pipe.recv_bytes())
            if kind == "measure":
                epoch, loss, skipped, unheard, *heard = (float(n) for n in arrays["progress"])
                point = session.measure(
                    _Asked(pipe), Progress(int(epoch), loss, skipped, next(iter(heard), None), unheard)
                )
                found.curve.append(point)
                pipe.send(("done", point))
            elif kind == "finish":
                found.scores, found.interventions = session.finish(_Asked(pipe))
                scored(found)
                pipe.send(("done", (found.scores, found.interventions)))
            else:
                return
    except (_EndedError, EOFError):
        return
    except Exception as error:
        with suppress(EOFError):
            pipe.send(("raised", _sendable(error)))
            pipe.recv_bytes()  # the trial says that it ends


def without_solver(trial: Trial) -> Trial:
    """What a scoring process is told of a trial: of the solver its name, nothing that would be imported."""
    return replace(trial, solver=SolverSpec(trial.solver.name), beside=None, trace=None)


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
