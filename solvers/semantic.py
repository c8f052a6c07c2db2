"""Rules as a penalty on a network that answers by itself."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ..datasets.errors import UsageError
from ..datasets.problem import Problem
from .exact import log_leaves
from .neural import MLP
from .rules.reasoning import worlds_of
from .rules.worlds import Leaves
from .solver import Answer, Beliefs, Given, answer_nll


class SemanticLoss(MLP):
    """A network without logic answers; where its answers and the beliefs break the rules, it pays.

    `forward` is the MLP's. `loss` is −log p(answer) − weight · log Σ_{w obeys the rules} ∏ p[v, w(v)]: beside
    the likelihood, how probable it is that independent draws from p obey the rules. At the givens p are the
    beliefs; at the queries they are what `tied_to` says. It ties what is read to what is answered, and only
    in training: at test time nothing reasons.

    Cost: one weighted count per row (see `Exact`). Sources: Xu et al. 2018, arXiv:1711.11157; Ahmed et al.
    2022, arXiv:2201.11250 (entropy); Chang et al. 2023, arXiv:2312.10087 (distillation of entropy).

    Args:
        problem: With its rules.
        weight: Of the rules, 0.05 to 1 (0.1 to 0.5 in the paper, beside a fully labelled loss).
        entropy: Weight of neuro-symbolic entropy, 0 or 0.01 to 0.1: the entropy (nats) of the worlds that
            obey the rules, weighted as above, so that mass gathers on one.
        distilled: Weight of distillation, 0 or 0.01 to 1: the squared difference, in nats², between the
            entropy of the worlds that what it reads and answers leaves, and that of the exact posterior on
            what it reads, towards which no gradient flows. It is to doubt as much as the rules do, whatever
            the answer.
        tied_to: What p is at the queries: the "answer" itself, as in the literature on shortcuts, or the
            "prediction", what the network answers, as in the first paper, where it needs no answer.
        hidden: Units of the network's first layer.
        reasoning: As `Exact` has it.
    """

    rules: ClassVar = "given"
    source: ClassVar[str] = "Xu et al. 2018, arXiv:1711.11157"

    def __init__(
        self,
        problem: Problem,
        weight: float = 1.0,
        entropy: float = 0.0,
        distilled: float = 0.0,
        tied_to: str = "answer",
        hidden: int = 256,
        reasoning: str = "auto",
    ) -> None:
        super().__init__(problem, hidden)
        for name, value in (("weight", weight), ("entropy", entropy), ("distilled", distilled)):
            if value < 0:
                raise UsageError(f"{name}={value}: it takes 0 or more")
        if tied_to not in ("answer", "prediction"):
            raise UsageError(f"tied_to={tied_to!r}: it is answer or prediction")
        self.weight, self.entropy, self.tied_to, self.distilled = weight, entropy, tied_to, distilled
        self.worlds = worlds_of(problem, reasoning)

    def _leaves(self, completion: Beliefs) -> Leaves:
        return log_leaves(completion, torch.ones_like(completion[..., 0], dtype=torch.bool))

    def broken(self, completion: Beliefs) -> Float[Tensor, " batch"]:
        """Semantic loss: −log of the probability that draws from `completion` obey the rules.

        Args:
            completion: (batch, variables, symbols) a distribution per variable.

        Returns:
            (batch,) nats.
        """
        return -self.worlds.log_weight(self._leaves(completion))

    def doubt(self, beliefs: Beliefs, given: Given, completion: Beliefs) -> Float[Tensor, " batch"]:
        """By how much more its completion leaves open than the exact posterior on the same readings.

        Args:
            beliefs: (batch, variables, symbols) what is read of the givens.
            given: (batch, variables) truth values.
            completion: (batch, variables, symbols) what it makes of them.

        Returns:
            (batch,) entropy over worlds minus that of the posterior, nats.
        """
        with torch.no_grad():
            exact = self.worlds.entropy(log_leaves(beliefs, given))
        return self.worlds.entropy(self._leaves(completion)) - exact

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """The answer's negative log-likelihood, plus what the rules add."""
        completion = self(beliefs, given)
        tied = completion
        if self.tied_to == "answer":
            symbols = torch.arange(completion.shape[-1], device=answer.device)
            certain = (answer.unsqueeze(-1) == symbols).to(completion.dtype)
            tied = torch.where((answer >= 0).unsqueeze(-1), certain, completion)
        loss = answer_nll(completion, answer) + self.weight * self.broken(tied)
        if self.entropy > 0:
            loss = loss + self.entropy * self.worlds.entropy(self._leaves(tied))
        if self.distilled > 0:
            loss = loss + self.distilled * self.doubt(beliefs, given, completion) ** 2
        return loss
