"""Runs a trial: trains and scores, whatever happens inside."""

import math
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, replace

import torch

from ...datasets.batch import Examples
from ...datasets.outside import OutsideCodeError
from ...datasets.task import Split, Task
from ...solvers.acquired import learned_rules
from ...solvers.extras import MissingExtraError
from ...solvers.rules.acquisition import Rule
from ...solvers.solver import UnsupportedProblemError
from ..measures.interventions import Interventions
from ..measures.metrics import Scores
from .answers import NetworkAnswers
from .ceiling import NO_SOLVER, supervised
from .clustering import discover_symbols
from .network import Network, build_network
from .printed import Kept, printed_to
from .session import LocalSession, Session, drawn_task, on_device
from .spec import SolverSpec
from .traces import Trace
from .training import Progress, Training, end_to_end, train
from .trial import Outcome, Point, Trial


def run_trial(
    trial: Trial,
    after_epoch: Callable[[Point], None] = lambda _: None,
    scoring: Callable[[], Session] | None = None,
) -> Outcome:
    """Trains and scores. An exception inside becomes the outcome's `error`; only Ctrl-C passes.

    Deterministic in the trial: two runs give the same outcome, `seconds` aside, wherever they are scored.

    Args:
        trial: What to run.
        after_epoch: Is handed a point of the learning curve before training and after every epoch.
        scoring: Opens the session that scores; None: one in this process.
    """
    started = time.perf_counter()
    curve: list[Point] = []
    kept = Kept()

    def remember(point: Point) -> None:
        curve.append(point)
        trace.append(asdict(point))
        with kept.aside():
            after_epoch(point)

    scores, interventions, path, rules, error = None, None, None, None, None
    threads = torch.get_num_threads()
    torch.set_num_threads(trial.threads)
    trace = Trace(trial.trace)
    try:
        with trace, printed_to(trial.log) as kept:
            scores, interventions, path, rules = _train_and_score(
                trial, scoring() if scoring else LocalSession(trial), remember
            )
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
        rules=rules,
    )


def _train_and_score(
    trial: Trial, session: Session, after_epoch: Callable[[Point], None]
) -> tuple[Scores, Interventions | None, str | None, list[Rule] | None]:
    task = drawn_task(trial)
    training = on_device(session.training, trial.images.device)
    held_out: dict[Split, Examples] = {
        split: on_device(examples, trial.images.device) for split, examples in session.held_out.items()
    }
    with torch.random.fork_rng():
        spec = NO_SOLVER if trial.role == "ceiling" else trial.solver
        budget = trial.training if trial.beside is None else _as_trained(trial.training, trial.beside, task)
        shape = training.gallery.shape
        network = build_network(task, spec, budget.interface, trial.seed, trial.perception, shape)
        network = network.to(trial.images.device)
        asked = budget.pretraining or getattr(network.solver, "pretraining", "none")
        if asked == "clusters" and task.seen == "images" and trial.role in ("grounding", "baseline"):
            _pretrain(network, training, len(task.classes), trial.seed)

        answers = NetworkAnswers(network, held_out)

        def measure(progress: Progress) -> None:
            after_epoch(session.measure(answers, progress))

        with torch.random.fork_rng():  # looking must not change what is drawn in training
            measure(Progress(0, math.nan, 0.0))
        train(
            network,
            training,
            budget,
            torch.Generator().manual_seed(trial.seed),
            loss=supervised if trial.role == "ceiling" else end_to_end,
            after_epoch=measure,
        )
        scores, interventions = session.finish(answers)
        path = getattr(network.solver, "path", None)
        rules = learned_rules(network.solver) if trial.role in ("grounding", "reasoning") else None
        return scores, interventions, path if isinstance(path, str) else None, rules


def _told(raised: Exception) -> str:
    """What a record says of an exception; its last line is the message."""
    if isinstance(raised, OutsideCodeError):
        return f"{raised.traceback}{raised}"
    if isinstance(raised, MissingExtraError | UnsupportedProblemError):
        return str(raised)
    return "".join(traceback.format_exception(raised))


def _as_trained(training: Training, spec: SolverSpec, task: Task) -> Training:
    """The budget with the pretraining and rates that another solver recommends, where they are left open;
    as it is where that solver cannot be built.
    """
    with torch.random.fork_rng():
        try:
            solver = spec.build(task.problem)
        except Exception:
            return training  # the trials of that solver tell why
    return replace(
        training,
        pretraining=training.pretraining or getattr(solver, "pretraining", None),
        perception_rate=training.perception_rate or getattr(solver, "perception_rate", None),
        solver_rate=training.solver_rate or getattr(solver, "learning_rate", None),
    )


def _pretrain(network: Network, examples: Examples, symbols: int, seed: int) -> None:
    """Perception learns the clusters of the images that the training puzzles show."""
    shown = torch.unique(examples.image)
    images = examples.gallery.gather(shown[shown >= 0])
    discover_symbols(network.perception, images, symbols, torch.Generator().manual_seed(seed))
