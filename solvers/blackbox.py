"""Gradients through a combinatorial solver by asking it twice."""

from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ..datasets.errors import UsageError
from ..datasets.problem import Problem
from .decision import MapSolver, Weights
from .solver import Answer, Beliefs, Given


class _Interpolated(torch.autograd.Function):
    """argmax_w ⟨weights, w⟩ as certainties, with the gradient of its λ-interpolation."""

    @staticmethod
    def forward(ctx: Any, weights: Weights, solver: MapSolver, strength: float) -> Weights:
        map_assignment = solver.map_assignment(weights)
        ctx.save_for_backward(weights, map_assignment)
        ctx.solver, ctx.strength = solver, strength
        return map_assignment

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        weights, map_assignment = ctx.saved_tensors
        moved = weights - ctx.strength * upstream[0].nan_to_num()
        improved = ctx.solver.map_assignment(moved)
        return (map_assignment - improved) / ctx.strength, None, None


class Blackbox(MapSolver):
    """Backward, the solver is asked again with weights moved a step λ against the loss.

    y(θ) = argmax_{w obeys the rules} ⟨θ, w⟩, with θ = log beliefs at the givens and 0 at the queries, is
    piecewise constant. Its gradient is replaced by [y(θ) − y(θ − λ ∂L/∂y)] / λ, which is exactly that of a
    continuous function, piecewise linear between the steps. L is the Hamming distance, the number of queries
    answered wrong. (The paper minimises costs −θ; signs are turned accordingly.)

    Cost: two most likely worlds per row, of which neither is told the answer: on 9×9 Sudoku both are searched
    for, and as long as beliefs are uniform the search ends with its `nodes`, not with a proof. Source:
    Vlastelica et al. 2020, ICLR, arXiv:1912.02175.

    Args:
        problem: With its rules.
        strength: λ in nats, 1 to 20.
        nodes: As `MapSolver` has it.
    """

    surrogate: ClassVar[bool] = True
    source: ClassVar[str] = "Vlastelica et al. 2020, arXiv:1912.02175"

    def __init__(self, problem: Problem, strength: float = 10.0, nodes: int = 200) -> None:
        super().__init__(problem, nodes)
        if strength <= 0:
            raise UsageError(f"strength={strength}: λ is a positive number")
        self.strength = strength

    def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
        """The most likely world, differentiable by interpolation."""
        map_assignment: Any = _Interpolated.apply(self.weights(beliefs, given), self, self.strength)
        return map_assignment

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """How many queries are answered wrong."""
        return missed(self(beliefs, given), answer)


def missed(completion: Beliefs, answer: Answer) -> Float[Tensor, " batch"]:
    """Hamming distance to the answer, over the queries: Σ (1 − p(answer))."""
    right = completion.gather(-1, answer.clamp_min(0).unsqueeze(-1)).squeeze(-1)
    return ((1 - right) * (answer >= 0)).sum(-1)


def sum_of_gamma(shape: torch.Size, spread: int, generator: torch.Generator, terms: int = 10) -> Tensor:
    """Noise whose sum over `spread` cells is nearly Gumbel distributed, as perturb-and-MAP wants it.

    (1/κ)(Σ_{i=1..s} Gamma(1/κ, κ/i) − log s), κ = `spread`, s = `terms`. Source: Niepert et al. 2021, eq. 9.
    """
    shapes = torch.full((terms, *shape), 1 / spread)
    # torch.distributions.Gamma draws from the global generator; this is what it calls.
    drawn = torch._standard_gamma(shapes, generator=generator)  # pyright: ignore[reportPrivateUsage]
    scale = spread / torch.arange(1, terms + 1).view(-1, *([1] * len(shape)))
    return ((drawn * scale).sum(0) - torch.tensor(float(terms)).log()) / spread


class IMLE(MapSolver):
    """Implicit maximum likelihood: `Blackbox` under noise, with a step that adapts itself.

    With noise ε (sum of Gamma) the solver samples: y = argmax ⟨θ + ε, w⟩. The gradient is the difference of
    two samples that share their noise, [y(θ) − y(θ − λ ∂L/∂y)], averaged over `samples`. This is maximum
    likelihood with a target distribution moved against the loss L, the number of queries answered wrong. λ is
    α ‖θ‖ / ‖∂L/∂y‖. α grows by `step` while fewer than one cell of θ per row gets a gradient, and shrinks
    otherwise, so that gradients are neither empty nor biased more than needed.

    Noise is drawn in training only, and never by `forward`. Cost: 2 · samples most likely worlds per row.
    Sources: Niepert, Minervini, Franceschi 2021, NeurIPS, arXiv:2106.01798; Minervini, Franceschi, Niepert
    2023, AAAI, arXiv:2209.04862 (adaptive λ).

    Args:
        problem: With its rules.
        samples: 1 to 10.
        temperature: Factor of the noise, 0.5 to 5.
        step: Of α, 0.001 to 0.1.
        nodes: As `MapSolver` has it.
    """

    surrogate: ClassVar[bool] = True
    differs_in_training: ClassVar[bool] = True
    source: ClassVar[str] = "Niepert et al. 2021, arXiv:2106.01798; Minervini et al. 2023, arXiv:2209.04862"

    alpha: Tensor

    def __init__(
        self,
        problem: Problem,
        samples: int = 1,
        temperature: float = 1.0,
        step: float = 0.01,
        nodes: int = 200,
    ) -> None:
        super().__init__(problem, nodes)
        if samples < 1 or temperature < 0 or step < 0:
            raise UsageError(
                f"samples={samples}, temperature={temperature}, step={step}: "
                "samples takes 1 or more, the others 0 or more"
            )
        self.samples, self.temperature, self.step = samples, temperature, step
        self.register_buffer("alpha", torch.tensor(1.0))
        self.noise = torch.Generator().manual_seed(int(torch.randint(2**31, (1,))))

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """How many queries are answered wrong, mean over the samples."""
        weights = self.weights(beliefs, given)
        losses: list[Tensor] = []
        for _ in range(self.samples):
            sampled: Any = _Sampled.apply(weights, self, self._draw(weights, given))
            losses.append(missed(sampled, answer))
        return torch.stack(losses).mean(0)

    def _draw(self, weights: Weights, given: Given) -> Tensor:
        if not self.training:
            return torch.zeros_like(weights)
        drawn = sum_of_gamma(weights.shape, weights.shape[1], self.noise) * self.temperature
        return drawn.to(weights) * given.unsqueeze(-1)

    @torch.no_grad()
    def adapt(self, slope: Tensor) -> None:
        """One step of α.

        Args:
            slope: The gradient towards θ, (batch, variables, symbols); what counts is how many cells of a row
                it reached.
        """
        reached = (slope != 0).flatten(1).sum(-1).to(slope.dtype).mean()
        self.alpha += self.step if reached < 1 else -self.step
        self.alpha.clamp_min_(self.step)

    def get_extra_state(self) -> Tensor:
        """Where its noise stands: a training that is taken up again draws what it would have drawn."""
        return self.noise.get_state()

    def set_extra_state(self, state: Any) -> None:
        """Takes the noise up from there."""
        self.noise.set_state(state.cpu())


class _Sampled(torch.autograd.Function):
    """One perturbed argmax, with I-MLE's gradient."""

    @staticmethod
    def forward(ctx: Any, weights: Weights, solver: IMLE, noise: Weights) -> Weights:
        map_assignment = solver.map_assignment(weights + noise)
        ctx.save_for_backward(weights, noise, map_assignment)
        ctx.solver = solver
        return map_assignment

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        weights, noise, map_assignment = ctx.saved_tensors
        solver: IMLE = ctx.solver
        slope = upstream[0].nan_to_num()
        size = weights.flatten(1).norm(dim=1) / slope.flatten(1).norm(dim=1).clamp_min(1e-12)
        strength = (solver.alpha * size).view(-1, 1, 1)
        improved = solver.map_assignment(weights + noise - strength * slope)
        difference = map_assignment - improved
        if solver.training:
            solver.adapt(difference * (weights != 0))
        return difference, None, None
