"""What runs checks and trials: today the processes of this machine."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...datasets.image_source import ImageSource
from ..checks.finding import Finding, Status
from ..perception.spec import PerceptionSpec
from ..trials.printed import printed_to
from ..trials.spec import SolverSpec
from ..trials.timing import seconds_per_step
from ..trials.trial import Outcome, Trial
from .children import NO_LIMITS, OUTSIDE_LIMITS, Limits, examine, run_trials, time_steps
from .inspection import Inspection


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
        workers = self.workers
        if workers is None:
            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
            workers = cores or 1
        portable = spec.portable and images.portable and reader.portable
        if images.device != "cpu" or not portable:
            workers = 0
        outside = not (spec.ours and reader.ours)
        isolate = portable and (outside if self.isolate is None else self.isolate)
        if isolate:
            return Processes(max(1, workers), True, self.limits or OUTSIDE_LIMITS)
        return Processes(workers, False, NO_LIMITS)

    def run(self, trials: Sequence[Trial], ended: Callable[[int, Outcome], None]) -> None:
        """Runs trials.

        Args:
            trials: What to run.
            ended: Hears the index and the outcome of each once, as soon as it ends.
        """
        run_trials(trials, self.workers or 0, ended, self.limits or NO_LIMITS)

    def time_steps(self, trials: Sequence[Trial]) -> dict[int, float]:
        """Seconds of a training step of each trial, by its number; one that cannot be taken is left out."""
        if self.workers:
            return time_steps(trials, self.limits or NO_LIMITS)
        steps: dict[int, float] = {}
        for number, trial in enumerate(trials):
            with printed_to(trial.log):
                if (seconds := seconds_per_step(trial)) is not None:
                    steps[number] = seconds
        return steps

    def inspect(self, inspection: Inspection, known: Mapping[str, Status]) -> Iterator[Finding]:
        """The checks of a task that need no training end to end.

        Args:
            inspection: The checks of one task.
            known: Status of those that ran before, by id; they are left out.

        Returns:
            Findings, one by one as checks end.
        """
        if self.isolate:
            return examine(inspection, self.limits or NO_LIMITS, known)
        return inspection.findings(known=known)
