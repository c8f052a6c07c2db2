"""The checks of a solver that need no end-to-end training, in one go."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...datasets.image_source import ImageSource
from ...datasets.task import Task
from ..checks.contract.contract import check_contract
from ..checks.finding import Finding, Status
from ..checks.leak import check_leaks
from ..checks.perception import check_perception
from ..perception.spec import PerceptionSpec
from ..trials.origin import all_ours
from ..trials.printed import printed_to
from ..trials.spec import SolverSpec
from ..trials.training import Training


@dataclass(frozen=True)
class Inspection:
    """What the checks of one task look at: all that another process needs to be told."""

    spec: SolverSpec
    task: Task
    training: Training
    images: ImageSource
    label: str = ""  # of the task, beside others of its name
    perception: PerceptionSpec = field(default_factory=PerceptionSpec)
    log: Path | None = field(default=None, compare=False)  # a file that gets what the solver prints

    @property
    def ours(self) -> bool:
        """Whether it runs no code from outside."""
        return all_ours((self.spec,), self.perception, self.images, self.task)

    def findings(
        self,
        *,
        known: Mapping[str, Status] | None = None,
        starting: Callable[[str], None] = lambda _: None,
    ) -> Iterator[Finding]:
        """The contract, then leaks if the solver can be built; `known` are checks that ran already."""
        running = self._findings(known, starting)
        while True:
            with printed_to(self.log):  # and not while somebody tells of a finding
                finding = next(running, None)
            if finding is None:
                return
            yield finding

    def _findings(
        self, known: Mapping[str, Status] | None, starting: Callable[[str], None]
    ) -> Iterator[Finding]:
        statuses: dict[str, Status] = dict(known or {})
        for finding in check_contract(
            self.spec,
            self.task,
            self.images.device,
            batch=self.training.batch,
            label=self.label,
            known=known,
            starting=starting,
        ):
            statuses[finding.check] = finding.status
            yield finding
        if self.task.seen != "images" or statuses.get("contract/build", "pass") != "pass":
            return
        images = self.images.load()
        for finding in check_perception(
            self.perception,
            self.task,
            images,
            batch=self.training.batch,
            label=self.label,
            known=statuses,
            starting=starting,
        ):
            statuses[finding.check] = finding.status
            yield finding
        if statuses.get("perception/shape", "pass") == "pass":
            yield from check_leaks(
                self.spec,
                self.task,
                images,
                self.training,
                perception=self.perception,
                label=self.label,
                known=statuses,
                starting=starting,
            )
