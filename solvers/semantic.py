"""Rules as a penalty on a network that answers by itself."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ..datasets.problem import Problem
from .exact import log_leaves
from .neural import MLP
from .solver import Answer, Beliefs, Given, answer_nll
from .worlds import Leaves, worlds_of


class SemanticLoss(MLP):
    """A network without logic answers; where its answers and the beliefs break the rules, it pays.

    `forward` is the MLP's. `loss` is −log p(answer) − weight · log Σ_{w obeys the rules} ∏ p[v, w(v)], where
    p are the beliefs at the givens and the network's own at the queries: the probability that
    independent draws from both obey the rules. It ties what is read to what is answered, and only in
    training: at test time nothing reasons. With `entropy` > 0, neuro-symbolic entropy is added: the
    entropy (nats) of the worlds that obey the rules, weighted as above, so that mass gathers on one.

    Cost: one weighted count per row (see `Exact`). `weight` 0.05 to 1 (0.1 to 0.5 in the paper, beside a
    fully labelled loss); `entropy` 0.01 to 0.1. Sources: Xu et al. 2018, arXiv:1711.11157; Ahmed et al. 2022,
    arXiv:2201.11250 (entropy).
    """

    rules: ClassVar = "given"
    source: ClassVar[str] = "Xu et al. 2018, arXiv:1711.11157"

    def __init__(
        self,
        problem: Problem,
        weight: float = 1.0,
        entropy: float = 0.0,
        hidden: int = 256,
        reasoning: str = "auto",
    ) -> None:
        super().__init__(problem, hidden)
        for name, value in (("weight", weight), ("entropy", entropy)):
            if value < 0:
                raise ValueError(f"{name}={value}: it takes 0 or more")
        self.weight, self.entropy = weight, entropy
        self.worlds = worlds_of(problem, reasoning)

    def _leaves(self, completion: Beliefs) -> Leaves:
        return log_leaves(completion, torch.ones_like(completion[..., 0], dtype=torch.bool))

    def broken(self, completion: Beliefs) -> Float[Tensor, " batch"]:
        """Semantic loss: −log of the probability that draws from `completion` obey the rules, nats."""
        return -self.worlds.log_weight(self._leaves(completion))

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """The answer's negative log-likelihood, plus what the rules add."""
        completion = self(beliefs, given)
        loss = answer_nll(completion, answer) + self.weight * self.broken(completion)
        if self.entropy > 0:
            loss = loss + self.entropy * self.worlds.entropy(self._leaves(completion))
        return loss
