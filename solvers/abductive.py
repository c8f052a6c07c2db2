"""Learning from the worlds that agree with the answer."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from .decision import Assignment, MapSolver
from .rules.worlds import LOG_IMPOSSIBLE
from .solver import Answer, Beliefs, Given


class Conditional(MapSolver):
    """The likelihood of rules and answer, summed over the worlds that agree with the answer alone.

    `loss` is that of `Exact`, −log Σ_{w agrees with the answer} ∏ beliefs[v, w(v)], to the last digit. It
    needs no other worlds, so it runs where there are too many to sum over: an answer at the 45 blanks of a
    9×9 Sudoku leaves its 36 givens one to ten worlds, which are found once per puzzle and kept. `forward`
    cannot sum over all worlds and answers with the most likely one. A row with more than 2,000 worlds is
    unsolved (NaN).

    Cost per row: propagations (0.05 ms each on 9×9) the first time, then worlds · variables. Source: Xu et
    al. 2018, arXiv:1711.11157, conditioned on the answer.

    Args:
        problem: With its rules.
        nodes: As `MapSolver` has it; 1,000 to 5,000, so that the worlds of an answer are all found.
    """

    source: ClassVar[str] = "Xu et al. 2018, arXiv:1711.11157"

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """−log of the weight of the worlds that agree with the answer."""
        worlds, listed = self.agreeing(answer)
        log = self.weights(beliefs, given).unsqueeze(1).expand(-1, worlds.shape[1], -1, -1)
        each = log.gather(-1, worlds.unsqueeze(-1)).squeeze(-1).sum(-1)
        weight = each.masked_fill(~listed, LOG_IMPOSSIBLE).logsumexp(-1)
        return (-weight).masked_fill(~listed.any(-1), torch.nan)


class Abductive(MapSolver):
    """Perception learns the symbols of the world nearest to its beliefs that has the right answer.

    `loss` is −Σ_{givens} log beliefs[v, ŵ(v)], with ŵ = argmax_{w obeys the rules and the answer} ∏
    beliefs: hard EM, where `Exact` and `Conditional` are soft. Pseudo-labels from beliefs that are still
    wrong confirm themselves, so that where an answer leaves several worlds it settles on one early.

    Cost per row as `Conditional`. Source: Dai, Xu, Yu, Zhou 2019, NeurIPS, arXiv:1802.01173, with the
    likelihood as the measure of nearness.

    Args:
        problem: With its rules.
        nodes: As `Conditional` has it.
    """

    source: ClassVar[str] = "Dai et al. 2019, arXiv:1802.01173"

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """Cross-entropy of the givens to their pseudo-labels; nats, NaN where there are none."""
        log = self.weights(beliefs, given)
        labels = self.pseudo_labels(beliefs, given, answer)
        picked = log.gather(-1, labels.clamp_min(0).unsqueeze(-1)).squeeze(-1)
        return (-picked.sum(-1)).masked_fill((labels < 0).any(-1), torch.nan)

    def pseudo_labels(self, beliefs: Beliefs, given: Given, answer: Answer) -> Assignment:
        """What the symbols are taken to be: the nearest world that has the answer, −1 where there is none."""
        return self.heaviest(self.weights(beliefs, given), answer)
