"""How long one step of training takes, by taking a few."""

import time
from dataclasses import replace

import torch

from ...datasets.batch import assemble
from .ceiling import NO_SOLVER, supervised
from .network import build_network
from .session import drawn_task, on_device
from .training import Progress, end_to_end, train
from .trial import Trial

STEPS = 4  # that are timed, after one that warms up
ENOUGH = 1.0  # seconds, after which slow steps have told what there is to tell
# Beside its training a trial is scored: after each epoch on the validation puzzles, at the end on the test
# puzzles, as they are and changed in several ways, without a gradient. In steps for each batch of them.
SCORING_STEPS = 0.2
TEST_PASSES = 6


class _EnoughError(Exception):
    """The time is known."""


def seconds_per_step(trial: Trial) -> float | None:
    """Seconds of a training step of this trial, after one that warms up; None where none can be taken."""
    ended: list[float] = []

    def note(_: Progress) -> None:
        ended.append(time.perf_counter())
        if len(ended) > 1 and ended[-1] - ended[0] > ENOUGH:
            raise _EnoughError

    task = drawn_task(trial)
    taught = replace(task, supervision="leaky") if trial.role == "ceiling" else task
    batch = trial.training.batch
    puzzles = taught.generate("train", batch, trial.seed)
    images = replace(trial.images, device="cpu").load()
    examples, _ = assemble(taught, puzzles, images.train)
    threads = torch.get_num_threads()
    torch.set_num_threads(trial.threads)
    try:
        with torch.random.fork_rng():
            spec = NO_SOLVER if trial.role == "ceiling" else trial.solver
            interface, shape = trial.training.interface, examples.gallery.shape
            network = build_network(task, spec, interface, trial.seed, trial.perception, shape).to(
                trial.images.device
            )
            train(
                network,
                on_device(examples, trial.images.device),
                replace(trial.training, epochs=1 + STEPS),  # an epoch of one batch each
                torch.Generator().manual_seed(trial.seed),
                loss=supervised if trial.role == "ceiling" else end_to_end,
                after_epoch=note,
            )
    except _EnoughError:
        pass
    except Exception:  # the trial itself tells
        return None
    finally:
        torch.set_num_threads(threads)
    return (ended[-1] - ended[0]) / (len(ended) - 1) if len(ended) > 1 else None


def seconds_of(trial: Trial, step: float) -> float:
    """About how long a trial takes whose training step takes so many seconds."""
    training = trial.training
    steps = training.epochs * -(-training.puzzles // training.batch)
    scored = (training.epochs + 1) * trial.validation_puzzles + TEST_PASSES * trial.test_puzzles
    return step * (steps + SCORING_STEPS * scored / training.batch)
