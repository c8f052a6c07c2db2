"""Runs a trial: trains and scores, whatever happens inside."""

import math
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, replace

import torch

from ...datasets.batch import Examples
from ...datasets.task import textual
from ...solvers.extras import MissingExtraError
from ..measures.interventions import Interventions
from ..measures.metrics import Scores
from .ceiling import NO_SOLVER, supervised
from .clustering import discover_symbols
from .network import Network, build_network
from .scoring import evaluate, intervened, make_evaluation_set, measure_point
from .spec import SolverBrokenError
from .traces import Trace
from .training import Progress, end_to_end, train
from .trial import Outcome, Point, Trial


def run_trial(trial: Trial, after_epoch: Callable[[Point], None] = lambda _: None) -> Outcome:
    """Trains and scores. An exception inside becomes the outcome's `error`; only Ctrl-C passes.

    Deterministic in the trial: two runs give the same outcome, `seconds` aside.
    """
    started = time.perf_counter()
    curve: list[Point] = []

    def remember(point: Point) -> None:
        curve.append(point)
        trace.append(asdict(point))
        after_epoch(point)

    scores, interventions, path, error = None, None, None, None
    threads = torch.get_num_threads()
    torch.set_num_threads(trial.threads)
    trace = Trace(trial.trace)
    try:
        with trace:
            scores, interventions, path = _train_and_score(trial, remember)
    except Exception as raised:
        error = _told(raised)
    finally:
        torch.set_num_threads(threads)
    return Outcome(
        role=trial.role,
        task=trial.task.name,
        solver=trial.solver.name,
        seed=trial.seed,
        scores=scores,
        curve=curve,
        error=error,
        seconds=time.perf_counter() - started,
        interventions=interventions,
        path=path,
    )


def _train_and_score(
    trial: Trial, after_epoch: Callable[[Point], None]
) -> tuple[Scores, Interventions | None, str | None]:
    task = trial.task.drawn(trial.seed)
    if trial.role == "reasoning":
        task = textual(task)
    images = trial.images.load()
    taught = replace(task, supervision="leaky") if trial.role == "ceiling" else task
    training = make_evaluation_set(taught, "train", trial.training.puzzles, trial.seed, images)
    validation = make_evaluation_set(task, "validation", trial.validation_puzzles, trial.seed, images)
    with torch.random.fork_rng():
        spec = NO_SOLVER if trial.role == "ceiling" else trial.solver
        network = build_network(task, spec, trial.training.interface, trial.seed).to(trial.images.device)
        asked = trial.training.pretraining or getattr(network.solver, "pretraining", "none")
        if asked == "clusters" and task.seen == "images" and trial.role in ("grounding", "baseline"):
            _pretrain(network, training.examples, len(task.classes), trial.seed)

        def measure(progress: Progress) -> None:
            after_epoch(measure_point(network, validation, progress))

        with torch.random.fork_rng():  # looking must not change what is drawn in training
            measure(Progress(0, math.nan, 0.0))
        train(
            network,
            training.examples,
            trial.training,
            torch.Generator().manual_seed(trial.seed),
            loss=supervised if trial.role == "ceiling" else end_to_end,
            after_epoch=measure,
        )
        test = make_evaluation_set(task, "test", trial.test_puzzles, trial.seed, images)
        scores = evaluate(network, test, validation)
        interventions = intervened(network, test, scores) if trial.role == "grounding" else None
        path = getattr(network.solver, "path", None)
        return scores, interventions, path if isinstance(path, str) else None


def _told(raised: Exception) -> str:
    """What a record says of an exception; its last line is the message."""
    if isinstance(raised, SolverBrokenError):
        return f"{raised.traceback}{raised}"
    if isinstance(raised, MissingExtraError):
        return str(raised)
    return "".join(traceback.format_exception(raised))


def _pretrain(network: Network, examples: Examples, symbols: int, seed: int) -> None:
    """Perception learns the clusters of the images that the training puzzles show."""
    shown = torch.unique(examples.image)
    images = examples.gallery.gather(shown[shown >= 0])
    discover_symbols(network.perception, images, symbols, torch.Generator().manual_seed(seed))
