"""SATNet behind a dictionary that is read off statistics, for perception that starts from clusters."""

from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from ..datasets.errors import UsageError
from ..datasets.problem import Problem
from .satnet import SATNet
from .solver import Answer, Beliefs, Given, hide_queries

SMOOTHING = 0.1  # added to every count, so that what never occurred together costs much and not everything
ROUNDING = 1e-5  # of float32 sums over a batch, relative


class GroundedSATNet(SATNet):
    """Clustering first, then SATNet on the clusters under the right names, then all of it end to end.

    Perception starts from clusters of the images (`pretraining`): it tells symbols apart, but numbers them as
    it pleases. The numbering is found from how often symbols of the answer stand at two variables at once.
    J[u, t', v, t] counts the answers alone, N[u, c, v, t] beliefs about a given u against the answer at v.
    The dictionary is the one-to-one P that maximises Σ N[u, c, v, t] log J[u, P(c), v, t], a linear
    assignment. No rule and no label of a given enters, and the loss under it does not depend on how clusters
    were numbered. Until it is settled perception is left as it is, for the gradient of an ignorant solver
    drives clusters apart. A proofreader, one linear layer with a sigmoid (10·I, bias −5, learned), then lets
    the givens correct each other before SATNet.

    What differs from the paper: clusters come from information maximisation instead of InfoGAN, and the
    permutation from counts instead of a loss that tries to match SATNet's own output. A separate distillation
    is not needed: perception itself is what was clustered. Where answers never stand at a given's variable
    (mapping) the counts say nothing, and P stays the identity.

    Cost: SATNet's, and (variables · symbols)² multiplications per row while it settles. Source: Topan,
    Rolnick, Si 2021, NeurIPS, arXiv:2106.11072.

    Args:
        problem: Variables and their symbols; rules are not looked at.
        settling: Training batches until the dictionary is settled, 50 to 200.
        prox: A tenth of SATNet's: proofread beliefs lie near 0 and 1, where SATNet's would turn the gradient
            towards them (cosine 0.89 with finite differences, 0.98 with this).
        **options: As `SATNet` has them.
    """

    source: ClassVar[str] = "Topan, Rolnick, Si 2021, arXiv:2106.11072"
    pretraining: ClassVar[Literal["none", "clusters"]] = "clusters"
    perception_rate: ClassVar[float] = 3e-4  # it starts from something

    together: Float[Tensor, "cells cells"]
    seen_with: Float[Tensor, "cells cells"]
    dictionary: Int[Tensor, " symbols"]
    batches: Int[Tensor, ""]

    def __init__(self, problem: Problem, *, settling: int = 100, prox: float = 1e-3, **options: Any) -> None:
        super().__init__(problem, prox=prox, **options)
        if settling < 0:
            raise UsageError(f"settling={settling}: a number of batches, 0 or more")
        self.settling = settling
        cells = len(problem.variables) * problem.symbols
        self.register_buffer("together", torch.zeros(cells, cells))
        self.register_buffer("seen_with", torch.zeros(cells, cells))
        self.register_buffer("dictionary", torch.arange(problem.symbols))
        self.register_buffer("batches", torch.tensor(0))
        self.proofreader = nn.Linear(cells, cells)
        with torch.no_grad():
            self.proofreader.weight.copy_(10 * torch.eye(cells))
            self.proofreader.bias.fill_(-5)

    def _translated(self, beliefs: Beliefs, given: Given) -> Beliefs:
        """The givens under their true names, proofread."""
        # a copy: the dictionary is renewed before this pass is differentiated
        named = torch.zeros_like(beliefs).index_copy(
            -1, self.dictionary.clone(), hide_queries(beliefs, given)
        )
        proofread = self.proofreader(named.flatten(1).to(self.proofreader.weight)).sigmoid().view_as(beliefs)
        return (proofread * self.legal).to(beliefs.dtype)

    def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
        """SATNet's completion of the translated givens; the givens themselves as they came."""
        completion = super().forward(self._translated(beliefs, given), given)
        return torch.where(given.unsqueeze(-1), beliefs, completion)

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """As `SATNet` has it. Until the dictionary is settled, each batch is counted, and perception gets no
        gradient.
        """
        if not self.training or int(self.batches) >= self.settling:
            return super().loss(beliefs, given, answer)
        held = beliefs.detach() + 0 * beliefs  # in the graph, but perception is left alone
        loss = super().loss(torch.where(given.unsqueeze(-1), held, 0), given, answer)
        self._count(beliefs.detach(), given, answer)
        return loss

    @torch.no_grad()
    def _count(self, beliefs: Beliefs, given: Given, answer: Answer) -> None:
        symbols = torch.arange(self.problem.symbols, device=answer.device)
        answered = (answer.unsqueeze(-1) == symbols).to(self.together).flatten(1)
        seen = hide_queries(beliefs, given).to(self.together).flatten(1)
        self.together += answered.T @ answered
        self.seen_with += seen.T @ answered
        self.batches += 1
        shape = (len(self.problem.variables), self.problem.symbols, -1)
        known = self.together + SMOOTHING
        rate = (known / known.sum(1, keepdim=True)).log().view(shape)
        gain = torch.einsum("uca,uta->ct", self.seen_with.view(shape), rate)
        _, named = linear_sum_assignment(gain.cpu().numpy(), maximize=True)
        apart = gain.max(1).values - gain.min(1).values
        if apart.max() > ROUNDING * gain.abs().max():  # else nothing tells one naming from another
            self.dictionary.copy_(torch.from_numpy(named).to(self.dictionary))
