"""The checks of a solver that need no end-to-end training, in one go."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...datasets.images import load_images
from ...datasets.task import Task
from ..checks.contract.contract import check_contract
from ..checks.finding import Finding, Status
from ..checks.leak import check_leaks
from ..trials.spec import SolverSpec
from ..trials.training import Training


@dataclass(frozen=True)
class Inspection:
    """What the checks of one task look at: all that another process needs to be told."""

    spec: SolverSpec
    task: Task
    training: Training
    images: str
    data_root: Path | None = None
    device: str = "cpu"
    label: str = ""  # of the task, beside others of its name

    def findings(
        self,
        *,
        known: Mapping[str, Status] | None = None,
        starting: Callable[[str], None] = lambda _: None,
    ) -> Iterator[Finding]:
        """The contract, then leaks if the solver can be built; `known` are checks that ran already."""
        built = (known or {}).get("contract/build", "pass")
        for finding in check_contract(
            self.spec, self.task, self.device, label=self.label, known=known, starting=starting
        ):
            if finding.check == "contract/build":
                built = finding.status
            yield finding
        if built == "pass" and self.task.seen == "images":
            images = load_images(self.images, self.data_root, device=self.device)
            yield from check_leaks(
                self.spec,
                self.task,
                images,
                self.training,
                label=self.label,
                known=known,
                starting=starting,
            )
