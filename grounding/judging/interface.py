"""The interface of a trained network: whether it keeps the contract, and whether it is what answers."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ...datasets.task import Task
from ..checks.contract.contract import contract
from ..checks.contract.global_state import each_with_kept_state
from ..checks.contract.subject import Subject
from ..checks.finding import Finding
from ..checks.registry import Registry
from ..measures.interventions import Interventions
from ..measures.metrics import Scores
from ..trials.scoring import INTERVENED, EvaluationSet, intervened
from ..trials.spec import SolverSpec
from .network import AskedNetwork

# Of a network that is not trained any more only its calls can be looked at.
FORWARD_CHECKS = (
    "build", "shape", "dtype", "device", "range", "finite", "deterministic", "rows", "queries", "listens",
)  # fmt: skip
AGREEMENT = (
    0.95  # of puzzles to which `complete` and `answer` give the same answer, for interventions to tell
)


class Interface(nn.Module):
    """`complete` of a network as the `forward` of a solver."""

    def __init__(self, network: AskedNetwork) -> None:
        super().__init__()
        self.network = network

    def __deepcopy__(self, memo: object) -> "Interface":
        """Itself: the network lies elsewhere, and there is one."""
        del memo
        return self

    def forward(
        self, beliefs: Float[Tensor, "batch variables symbols"], given: Bool[Tensor, "batch variables"]
    ) -> Tensor:
        """Completed beliefs, of the dtype of the beliefs."""
        found = self.network.complete(beliefs.numpy(force=True), given.numpy(force=True))
        return torch.from_numpy(found).to(beliefs)


def check_interface(network: AskedNetwork, task: Task) -> Iterator[Finding]:
    """Those checks of the contract that look at single calls of `complete`."""
    chosen: Registry[Subject] = Registry("contract")
    chosen.checks = [check for check in contract.checks if check.id.partition("/")[2] in FORWARD_CHECKS]
    spec = SolverSpec(network.name, factory=lambda _problem: Interface(network))
    yield from each_with_kept_state(chosen.run(Subject(spec, task), task.name))


@dataclass(frozen=True)
class Intervened:
    """Interventions, where they mean something; else why they do not."""

    found: Interventions | None
    why_not: str = ""


def intervene_on(
    network: AskedNetwork, test: EvaluationSet, validation: EvaluationSet, scores: Scores
) -> Intervened:
    """Interventions at the interface of a network, if what it answers comes through there."""
    given = test.examples.given[:INTERVENED].numpy(force=True)
    through = network.complete(network.believe("test", INTERVENED), given)
    answered = network.predict("test")[: len(given)]
    same = _agreement(through, answered, given)
    if same < AGREEMENT:
        return Intervened(
            None,
            f"complete(…) and answer(…) give {same:.0%} of the puzzles the same answer: interventions on "
            "complete(…) would say nothing of answer(…)",
        )
    found = intervened(network, test, validation, scores)
    return Intervened(found, "" if found else "the task has no rules to intervene by")


def _agreement(
    one: Float[np.ndarray, "puzzles variables symbols"],
    other: Float[np.ndarray, "puzzles variables symbols"],
    given: Bool[np.ndarray, "puzzles variables"],
) -> float:
    """The share of puzzles of which every query has the same most likely symbol, or is unsolved in both."""
    unsolved = [np.isnan(found).any(-1) for found in (one, other)]
    symbols = [np.where(np.isnan(found), -1.0, found).argmax(-1) for found in (one, other)]
    same = (unsolved[0] & unsolved[1]) | (~unsolved[0] & ~unsolved[1] & (symbols[0] == symbols[1]))
    return float((same | given).all(axis=1).mean())
