"""Runs a trial: trains and scores, whatever happens inside."""

import math
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, replace

import torch

from ...datasets.batch import Examples
from ...datasets.outside import OutsideCodeError
from ...datasets.task import Task
from ...solvers.acquired import learned_rules
from ...solvers.extras import MissingExtraError
from ...solvers.solver import UnsupportedProblemError
from .answers import Held, NetworkAnswers
from .ceiling import NO_SOLVER, supervised
from .checkpoint import Checkpoints
from .clustering import discover_symbols
from .network import Network, build_network
from .printed import Kept, printed_to
from .session import LocalSession, Session, drawn_task, on_device
from .spec import SolverSpec
from .traces import Trace
from .training import Progress, Training, TrainingState, loss_named, method_of, optimiser_for, train
from .trial import Outcome, Point, Trial


def run_trial(
    trial: Trial,
    after_epoch: Callable[[Point], None] = lambda _: None,
    scoring: Callable[[], Session] | None = None,
) -> Outcome:
    """Trains and scores. An exception inside becomes the outcome's `error`; only Ctrl-C passes.

    Deterministic in the trial: two runs give the same outcome, `seconds` aside, wherever they are scored. So
    does one that was interrupted and goes on from its checkpoint.

    Args:
        trial: What to run.
        after_epoch: Is handed a point of the learning curve before training and after every epoch; of a trial
            that goes on, first those of before.
        scoring: Opens the session that scores; None: one in this process.
    """
    started = time.perf_counter()
    curve: list[Point] = []
    kept = Kept()

    def remember(point: Point) -> None:
        curve.append(point)
        trace.append(asdict(point))

    def tell(point: Point) -> None:
        with kept.aside():
            after_epoch(point)

    found = Outcome(role=trial.role, task=trial.task.name, solver=trial.solver.name, seed=trial.seed)
    threads = torch.get_num_threads()
    torch.set_num_threads(trial.threads)
    trace = Trace(trial.trace)
    try:
        with trace, printed_to(trial.log) as kept:
            session = scoring() if scoring else LocalSession(trial)
            found = _train_and_score(trial, found, session, remember, tell)
    except Exception as raised:
        found = replace(found, error=_told(raised))
    finally:
        torch.set_num_threads(threads)
    return replace(found, curve=curve, seconds=found.seconds + time.perf_counter() - started)


def _train_and_score(
    trial: Trial,
    outcome: Outcome,
    session: Session,
    remember: Callable[[Point], None],
    tell: Callable[[Point], None],
) -> Outcome:
    """The outcome with what came of it; its `seconds` are those before the trial was interrupted.

    What is to be kept of an epoch is kept (`remember`) before anybody hears of it (`tell`) who may interrupt.
    """
    task = drawn_task(trial)
    training = on_device(session.training, trial.images.device)
    held_out: dict[Held, Examples] = {
        split: on_device(examples, trial.images.device) for split, examples in session.held_out.items()
    }
    with torch.random.fork_rng():
        spec = NO_SOLVER if trial.role == "ceiling" else trial.solver
        budget = trial.training.of_ceiling if trial.role == "ceiling" else trial.training
        if trial.beside is not None:
            budget = as_trained(budget, trial.beside, task)
        shape = training.gallery.shape
        loss = supervised if trial.role == "ceiling" else loss_named(budget.loss)

        def build() -> Network:
            network = build_network(task, spec, budget.interface, trial.seed, trial.perception, shape)
            network.temperature = budget.temperature_at(0.0)
            return network.to(trial.images.device)

        def begin(network: Network) -> TrainingState:
            order = torch.Generator().manual_seed(trial.seed)
            method = method_of(budget, loss, network, len(training), order)
            return TrainingState(network, optimiser_for(network, budget, method), order, method=method)

        checkpoints = Checkpoints(trial, session)
        if (resumed := checkpoints.resume(lambda: begin(build()))) is not None:
            state, points = resumed
            answers = NetworkAnswers(state.network, held_out)
            for point in points:
                remember(point)
                tell(point)
        else:
            network = build()
            answers = NetworkAnswers(network, held_out)
            asked = budget.pretraining or getattr(network.solver, "pretraining", "none")
            if asked == "clusters" and task.seen == "images" and trial.role in ("grounding", "baseline"):
                _pretrain(network, training, len(task.classes), trial.seed)
            with torch.random.fork_rng():  # looking must not change what is drawn in training
                point = session.measure(answers, Progress(0, math.nan, 0.0))
            remember(point)
            state = begin(network)
            checkpoints.offer(state)
            tell(point)

        def after_epoch(progress: Progress) -> None:
            point = session.measure(answers, progress)
            remember(point)
            state.epoch = progress.epoch
            checkpoints.offer(state)
            tell(point)

        train(
            state.network,
            training,
            budget,
            state.order,
            loss=state.method or loss,
            after_epoch=after_epoch,
            optimiser=state.optimiser,
            ended=state.epoch,
        )
        scores, interventions = session.finish(answers)
        beyond = session.beyond(answers) if trial.evaluation.asks else None
        solver = state.network.solver
        path = getattr(solver, "path", None)
        return replace(
            outcome,
            scores=scores,
            interventions=interventions,
            beyond=beyond,
            path=path if isinstance(path, str) else None,
            rules=learned_rules(solver) if trial.role in ("grounding", "reasoning") else None,
            seconds=checkpoints.seconds,
        )


def _told(raised: Exception) -> str:
    """What a record says of an exception; its last line is the message."""
    if isinstance(raised, OutsideCodeError):
        return f"{raised.traceback}{raised}"
    if isinstance(raised, MissingExtraError | UnsupportedProblemError):
        return str(raised)
    return "".join(traceback.format_exception(raised))


def as_trained(training: Training, spec: SolverSpec, task: Task) -> Training:
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
