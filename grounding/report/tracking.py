"""Logging trials to TensorBoard or MLflow, the same figures as in the record."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...datasets.errors import UsageError
from ..measures.figures import CURVE, FIGURES
from ..suite.suite import Listener
from ..trials.roles import trained_solver
from ..trials.trial import Outcome

TRACKERS = ("tensorboard", "mlflow")


@contextmanager
def tracked(tracker: str | None, run: Path | None, listener: Listener) -> Generator[Listener]:
    """The listener, which also logs every trial that ends; without a tracker the listener as it is.

    TensorBoard's files go to `tensorboard/` in the run folder, or to ./groundcheck-tensorboard; MLflow's go
    where MLflow is set up to log. Raises `UsageError` for another tracker, or one that is not installed.
    """
    if tracker is None:
        yield listener
        return
    if tracker not in TRACKERS:
        raise UsageError(f"--track {tracker!r}: it is {' or '.join(TRACKERS)}")
    try:
        opened = _tensorboard(run) if tracker == "tensorboard" else _mlflow()
    except ImportError as error:
        raise UsageError(
            f"--track {tracker}: {error}. Install it with pip install 'groundcheck[{tracker}]'"
        ) from error
    log, close = opened

    def outcome(ended: Outcome) -> None:
        log(ended)
        listener.outcome(ended)

    try:
        yield replace(listener, outcome=outcome)
    finally:
        close()


def label(outcome: Outcome) -> str:
    """What a trial is called: the same in every tracker."""
    parts = (outcome.role, outcome.task, trained_solver(outcome), f"seed {outcome.seed}")
    return "/".join(part for part in parts if part)


def scalars(outcome: Outcome) -> list[tuple[str, float, int]]:
    """Every figure of a trial as (name, value, epoch); the scores stand at the last epoch."""
    points = [
        (f"curve/{figure.name}", float(value), point.epoch)
        for point in outcome.curve
        for figure in CURVE
        if (value := figure.value(point)) is not None
    ]
    last = outcome.curve[-1].epoch if outcome.curve else 0
    scores = [
        (f"test/{figure.name}", float(value), last)
        for figure in FIGURES
        if outcome.scores is not None and (value := figure.value(outcome.scores)) is not None
    ]
    return [*points, *scores]


Tracker = tuple[Callable[[Outcome], None], Callable[[], None]]


def _tensorboard(run: Path | None) -> Tracker:
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415

    folder = Path("groundcheck-tensorboard") if run is None else run / "tensorboard"
    written: Any = SummaryWriter

    def log(outcome: Outcome) -> None:
        with written(str(folder / label(outcome).replace(":", "."))) as writer:
            for name, value, epoch in scalars(outcome):
                writer.add_scalar(name, value, epoch)
            if outcome.error:
                writer.add_text("error", outcome.error)

    return log, lambda: None


def _mlflow() -> Tracker:
    import mlflow  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

    client: Any = mlflow
    client.set_experiment("groundcheck")

    def log(outcome: Outcome) -> None:
        with client.start_run(run_name=label(outcome)):
            named = {name: getattr(outcome, name) for name in ("role", "task", "seed")}
            client.log_params({**named, "solver": trained_solver(outcome) or "none"})
            for name, value, epoch in scalars(outcome):
                client.log_metric(name, value, step=epoch)
            client.set_tag("broke", str(outcome.error is not None))

    return log, lambda: None
