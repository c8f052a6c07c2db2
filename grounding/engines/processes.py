"""The engine of this machine: checks and trials in processes of their own, or in this one."""

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ...datasets.image_source import ImageSource
from ..perception.spec import PerceptionSpec
from ..trials.spec import SolverSpec
from ..trials.trial import Trial
from .children import NO_LIMITS, OUTSIDE_LIMITS, Limits
from .errands import Errands, ErrandsApart, ErrandsHere, Timed
from .pairs import Here, Pairs


@dataclass(frozen=True)
class Processes:
    """Processes of this machine; how many there are changes nothing but the time.

    Args:
        workers: How many run at once; None: one per core; 0: none, everything runs in this process.
        isolate: Whether checks and trials run in processes of their own, so that a solver that hangs or ends
            its process costs no more than that trial; None: where solver or perception are not ours.
        limits: Time and memory of such a process; None for the usual ones, 1,800 s and 8 GiB.
    """

    workers: int | None = None
    isolate: bool | None = None
    limits: Limits | None = None

    def fitted(
        self, spec: SolverSpec, images: ImageSource, perception: PerceptionSpec | None = None
    ) -> "Processes":
        """The same with nothing left open.

        Trials that share an accelerator, and solvers, images and perceptions that other processes cannot be
        told of, run here.

        Args:
            spec: The solver.
            images: Where the images come from, and what they lie on.
            perception: What reads them; None: the usual one.
        """
        reader = perception or PerceptionSpec()
        workers = self.count
        portable = spec.portable and images.portable and reader.portable
        if images.device != "cpu" or not portable:
            workers = 0
        outside = not (spec.ours and reader.ours)
        isolate = portable and (outside if self.isolate is None else self.isolate)
        if isolate:
            return Processes(max(1, workers), True, self.limits or OUTSIDE_LIMITS)
        return Processes(workers, False, NO_LIMITS)

    @property
    def name(self) -> str:
        """As `Engine.name`."""
        return "processes"

    @contextmanager
    def open(self) -> Generator[Pairs | Here]:
        """As `Engine.open`; without workers trials run in this process, when somebody listens."""
        if not self.count:
            yield Here()
            return
        pairs = Pairs(self.count, self.limits or NO_LIMITS)
        try:
            yield pairs
        finally:
            pairs.end()

    @contextmanager
    def errands(self) -> Generator[Errands]:
        """What runs checks and timings: processes beside those of trials, or without workers this one."""
        if not (self.count or self.isolate):
            yield ErrandsHere()
            return
        errands = ErrandsApart(self.limits or NO_LIMITS)
        try:
            yield errands
        finally:
            errands.end()

    @property
    def count(self) -> int:
        """How many trials run at once; 0: they run in this process."""
        return usable_cores() if self.workers is None else self.workers

    def time_steps(self, trials: Sequence[Trial]) -> dict[int, float]:
        """Seconds of a training step of each trial, by its number; one that cannot be taken is left out."""
        with self.errands() as errands:
            errands.time_steps(trials)
            return next((told.steps for told in errands.hear() if isinstance(told, Timed)), {})


def usable_cores() -> int:
    """How many cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return cores or 1
