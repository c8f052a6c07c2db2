"""Watching a training loop of a user's own: the same curve and signals as those of our trials."""

import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...datasets.errors import UsageError
from ...datasets.image_source import ImageSource
from ...datasets.own_task import find_task
from ...datasets.task import Task
from ..results.report import Report
from ..trials.guessing import with_guesses
from ..trials.scoring import evaluate, measure_point
from ..trials.training import Progress
from ..trials.trial import Outcome, Point
from .arrays import NO_INTERFACE, Source, as_ceiling, each
from .ceilings import Beside, ceilings_for
from .interface import intervene_on
from .judged import OWN_IMAGES, OWN_TASK, Judged, Rules, joined_digest, require_rules
from .network import METHODS, NetworkError, as_network, ask_network
from .networks import HeldOut
from .predictions import make_predictions
from .scoring import score_predictions


class Monitor:
    """Called once an epoch from any training loop, it records a learning curve and, in the end, a report.

    It measures on held-out puzzles of a task of ours, by asking the network as `judge` does; or, without a
    task, whatever arrays it is handed, as `score` takes them.

    Args:
        task: A task or its name; None where arrays are handed over every epoch.
        images: An image set or its name.
        seed: Of the run; it draws the held-out puzzles, and a task that draws part of itself.
        name: What the report calls what is trained.
        rules: Whether the method "learned" the rules, or was "given" them.
        puzzles: How many the last network is scored on.

    Attributes:
        curve: A point for every epoch so far.
        outcome: What came of the run, once it has finished; else None.

    Raises:
        UsageError: For a task, or rules, that cannot be meant.
        DataUnavailableError: For missing or damaged images.
    """

    def __init__(
        self,
        task: str | Task | None,
        *,
        images: str | ImageSource = "digits",
        seed: int = 0,
        name: str = "monitored",
        rules: str = "learned",
        puzzles: int = 300,
    ) -> None:
        self.task = find_task(task) if isinstance(task, str) else task
        self.seed = seed
        self.name = name
        self.rules: Rules = require_rules(rules)
        self.curve: list[Point] = []
        self.outcome: Outcome | None = None
        self._source = ImageSource.of(images)
        self._held_out: HeldOut | None = None
        self._digest = ""
        self._beside: Beside | None = None
        self._gradients: list[Tensor] = []
        self._watched = 0
        if self.task is not None:
            loaded = replace(self._source, device="cpu").load()
            self._digest = loaded.digest
            self._held_out = HeldOut.of(self.task, loaded, seed, puzzles)

    def watch(self, beliefs: Tensor) -> Tensor:
        """Listens to the gradient at the interface: pass what perception hands on through here, in training.

        Args:
            beliefs: (batch, …) what the symbolic part is handed, of a loss that is a mean over rows.

        Returns:
            The same tensor.
        """
        if torch.is_grad_enabled():
            self._watched += 1
            if beliefs.requires_grad:
                beliefs.register_hook(self._hear)
        return beliefs

    def _hear(self, gradient: Tensor) -> None:
        self._gradients.append(gradient.flatten(1).norm(dim=1).sum())

    def epoch(self, network: Any, *, loss: float | Tensor | None = None, skipped: float = 0.0) -> Point:
        """Adds a point to the curve. The first call may be before training: its point is epoch 0.

        Args:
            network: What `judge` takes: an object with `read` and `answer`; or a mapping of arrays, as
                `score` takes them. A module is measured in evaluation mode, and left in the mode it was in.
            loss: The training loss of this epoch, mean over rows.
            skipped: Fraction of the steps that were left out.

        Raises:
            UsageError: For what is no network, returns what it should not, or arrays that are not right.
        """
        epoch = len(self.curve)
        trained = epoch > 0
        heard = float(torch.stack(self._gradients).mean()) if self._gradients else None
        vanished = sum(not bool(gradient) for gradient in self._gradients)
        unheard = (self._watched - len(self._gradients) + vanished) / self._watched if self._watched else 0.0
        self._gradients.clear()
        self._watched = 0
        progress = Progress(
            epoch,
            math.nan if loss is None else float(torch.as_tensor(loss).detach()),
            skipped,
            heard if trained else None,
            max(0.0, unheard) if trained else 0.0,
        )
        self.curve.append(self._point(network, progress))
        return self.curve[-1]

    def finish(self, network: Any) -> Outcome:
        """Scores the trained network on test puzzles, with interventions where it has an interface.

        Args:
            network: As in `epoch`; arrays are those of the test set.
        """
        if isinstance(network, Mapping):
            found = make_predictions(network, self.name, self.task and self.task.drawn(self.seed))
            self._digest = self._digest or found.judged_on
            scores, interventions = score_predictions(found), None
            puzzles = (found.completions, found.readings)
        else:
            held_out = self._require_task()
            with _measured(network) as asked:
                answers = held_out.asked(asked, self.name, held_out.test)
                scores = evaluate(answers, held_out.test, held_out.validation)
                scores = with_guesses(scores, held_out.training, held_out.test)
                interventions = None
                if callable(getattr(network, METHODS[2], None)):
                    interventions = intervene_on(answers, held_out.test, held_out.validation, scores).found
            puzzles = (held_out.puzzles, None)
        named = self.task.name if self.task else OWN_TASK
        self.outcome = Outcome(
            "grounding", named, self.name, self.seed, scores, list(self.curve), interventions=interventions
        )
        self._beside = Beside(self.outcome, *puzzles)
        return self.outcome

    def report(
        self, *others: "Monitor", ceiling: float | Source | Sequence[float | Source] | None = None
    ) -> Report:
        """The report on this run, and on those of other seeds.

        Args:
            *others: Monitors of other seeds of the same run; all have finished.
            ceiling: As in `score`.

        Raises:
            UsageError: Where one has not finished, or two have one seed.
        """
        monitors = [self, *others]
        seeds = [monitor._beside for monitor in monitors]
        numbers = [monitor.seed for monitor in monitors]
        finished = [seed for seed in seeds if seed is not None]
        if len(finished) < len(seeds):
            raise UsageError(
                f"seed {numbers[seeds.index(None)]} has not finished: call finish(network) after its training"
            )
        if len({*numbers}) < len(numbers):
            raise UsageError(f"seeds {', '.join(map(str, numbers))}: every seed counts once")
        if any(monitor.task != self.task for monitor in monitors):
            raise UsageError("these monitors are of several tasks: report on each task by itself")
        silent = not any(seed.outcome.interventions for seed in finished)
        return Judged(
            name=self.name,
            outcomes=[seed.outcome for seed in finished],
            ceilings=ceilings_for([as_ceiling(one) for one in each(ceiling)], finished),
            task=self.task,
            rules=self.rules,
            images=self._source.name if self.task else OWN_IMAGES,
            digest=self._digest if self.task else joined_digest([monitor._digest for monitor in monitors]),
            lacking=[NO_INTERFACE] if silent else [],
        ).report()

    def _require_task(self) -> HeldOut:
        if self._held_out is None:
            raise UsageError(
                "this monitor has no task to ask a network on: hand over arrays, or make Monitor('sudoku')"
            )
        return self._held_out

    def _point(self, network: Any, progress: Progress) -> Point:
        if not isinstance(network, Mapping):
            held_out = self._require_task()
            with _measured(network) as asked:
                return measure_point(
                    held_out.asked(asked, self.name, held_out.test), held_out.validation, progress
                )
        found = make_predictions(network, f"epoch {progress.epoch}", self.task and self.task.drawn(self.seed))
        if found.completions is None:
            raise UsageError(
                "a learning curve is of answers too: add `solution`, `given`, `answers` and `image`"
            )
        scores = score_predictions(found)
        return Point(
            epoch=progress.epoch,
            loss=progress.loss if math.isfinite(progress.loss) else None,
            skipped=progress.skipped,
            task=scores.task,
            raw=scores.raw,
            aligned=scores.aligned,
            symbols_used=None if scores.collapse is None or found.readings is None
            else round((1 - scores.collapse) * found.readings.symbols),
            gradient=progress.gradient,
            no_gradient=progress.no_gradient,
        )  # fmt: skip


@contextmanager
def _measured(network: Any) -> Generator[Any]:
    """Asks a network in evaluation mode; afterwards it, and what is drawn in training, are as they were."""
    modules = [part for part in (network, *vars(network).values()) if isinstance(part, nn.Module)]
    modes = [(inner, inner.training) for part in modules for inner in part.modules()]
    with torch.random.fork_rng():
        for part in modules:
            part.eval()
        found = as_network(network, type(network).__name__)
        device = next((str(p.device) for part in modules for p in part.parameters()), "cpu")

        def asked(method: str, arrays: Sequence[np.ndarray]) -> np.ndarray:
            try:
                return ask_network(found, method, arrays, device)
            except NetworkError as error:
                raise (
                    error.__cause__ or error
                ) from None  # in a loop of the user's own, with its own traceback

        try:
            yield asked
        finally:
            for inner, mode in modes:
                inner.training = mode
