"""Learning from a solver whose weights are perturbed."""

from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ..datasets.errors import UsageError
from ..datasets.problem import Problem
from .decision import MapSolver
from .rules.worlds import LOG_IMPOSSIBLE
from .solver import Answer, Beliefs, Given


class Perturbed(MapSolver):
    """Fenchel-Young loss between the perturbed optimum with and without the answer.

    With Gumbel noise ε and θ = log beliefs at the givens, F(θ) = E max_w ⟨θ + σε, w⟩ is smooth, and its
    gradient is the perturbed optimum E argmax. `loss` is F over all w minus F over the worlds that have the
    right answer. It is not negative, it is zero where perception already leaves nothing else, and its
    gradient is E argmax_all − E argmax_answer.

    Cost: `samples` times one or two most likely worlds per row, the same noise for both. Noise is drawn in
    training only, and never by `forward`. Source: Berthet et al. 2020, NeurIPS, arXiv:2002.08676.

    Args:
        problem: With its rules.
        samples: Draws of noise per row, 1 to 20.
        sigma: σ, 0.5 to 2 (1: samples from the beliefs themselves).
        among: What "all w" are. "assignments": any symbols at the givens, so that breaking the rules is
            penalised too (the first argmax then needs no solver: this runs on 9×9 Sudoku). "worlds": those
            that obey the rules, as in the paper.
        nodes: As `MapSolver` has it.
    """

    differs_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "Berthet et al. 2020, arXiv:2002.08676"

    def __init__(
        self,
        problem: Problem,
        samples: int = 4,
        sigma: float = 1.0,
        among: str = "assignments",
        nodes: int = 200,
    ) -> None:
        super().__init__(problem, nodes)
        if samples < 1 or sigma <= 0:
            raise UsageError(f"samples={samples}, sigma={sigma}: samples takes 1 or more, sigma more than 0")
        if among not in ("assignments", "worlds"):
            raise UsageError(f"among={among!r}: it is assignments or worlds")
        self.samples, self.sigma, self.among = samples, sigma, among
        self.register_buffer("legal", torch.from_numpy(problem.legal), persistent=False)
        self.noise = torch.Generator().manual_seed(int(torch.randint(2**31, (1,))))

    legal: Tensor

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """F − F(answer), nats; NaN in a row without a world that has the answer."""
        log = self.weights(beliefs, given)
        losses: list[Tensor] = []
        for _ in range(self.samples):
            moved = log + self._draw(log, given) if self.training else log
            right = self.heaviest(moved, answer)
            if self.among == "worlds":
                free = self.heaviest(moved)
            else:
                free = moved.detach().masked_fill(~self.legal, LOG_IMPOSSIBLE).argmax(-1)
            difference = moved.gather(-1, free.unsqueeze(-1)) - moved.gather(
                -1, right.clamp_min(0).unsqueeze(-1)
            )
            losses.append(difference.squeeze(-1).sum(-1).masked_fill((right < 0).any(-1), torch.nan))
        return torch.stack(losses).mean(0)

    def _draw(self, log: Tensor, given: Given) -> Tensor:
        uniform = torch.rand(log.shape, generator=self.noise, dtype=torch.float64)
        gumbel = -(-uniform.clamp_min(1e-300).log()).clamp_min(1e-300).log()
        return self.sigma * gumbel.to(log) * given.unsqueeze(-1)

    def get_extra_state(self) -> Tensor:
        """Where its noise stands: a training that is taken up again draws what it would have drawn."""
        return self.noise.get_state()

    def set_extra_state(self, state: Any) -> None:
        """Takes the noise up from there."""
        self.noise.set_state(state.cpu())
