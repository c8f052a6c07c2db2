"""Gradients through the most likely world by the package PyEPO."""

from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ..datasets.errors import UsageError
from ..datasets.problem import Problem
from .blackbox import missed
from .decision import MapSolver, Weights
from .extras import Extra
from .solver import Answer, Beliefs, Given


class _PyEPO(MapSolver):
    """What its functions have in common: `MapSolver` as an optimisation model of PyEPO."""

    extras: ClassVar[tuple[Extra, ...]] = (Extra("pyepo", "PyEPO", "pyepo"),)

    function: nn.Module

    def __init__(self, problem: Problem, nodes: int = 200) -> None:
        [package] = (extra.load() for extra in self.extras)
        super().__init__(problem, nodes)
        self._functions: Any = package.func
        self._model: Any = _optimisation_model(package, self)

    def right_world(self, weights: Weights, answer: Answer) -> tuple[Tensor, Tensor]:
        """The most likely world that has the answer: PyEPO's "true solution".

        Args:
            weights: (batch, variables, symbols) nats.
            answer: (batch, variables) symbols, −1 at the givens.

        Returns:
            (batch, variables · symbols) 0 and 1, and (batch,) whether there is no such world.
        """
        labels = self.heaviest(weights, answer)
        hot = functional.one_hot(labels.clamp_min(0), self.problem.symbols).to(weights.dtype)
        return hot.flatten(1), (labels < 0).any(-1)


class PyEPOSPOPlus(_PyEPO):
    """PyEPO's SPO+ loss (`SPOPlus`), over the worlds that obey the rules.

    With θ = log beliefs at the givens and 0 at the queries, and the true costs c, which are 1 where a query
    takes the symbol of its answer: `loss` is max_w ⟨2θ − c, w⟩ − 2⟨θ, ŵ⟩ + ⟨c, ŵ⟩, a structured hinge whose
    margin is the number of queries answered wrong. (PyEPO is told to maximise; the paper minimises −θ.) Its
    ŵ is a best world under the true costs. All that have the answer are; as the labels of givens are nobody's
    to know, it is the one that beliefs find most likely. The gradient is 2 (w − ŵ). `forward` is the most
    likely world.

    Cost per row: two most likely worlds, of which PyEPO asks one by one in Python. Needs the extra [pyepo].
    Source: Elmachtoub and Grigas 2022, Management Science, arXiv:1710.08005, definition 3; Tang and Khalil
    2024, arXiv:2206.14234 (PyEPO).

    Args:
        problem: With its rules.
        nodes: As `MapSolver` has it.
    """

    source: ClassVar[str] = "Elmachtoub and Grigas 2022, arXiv:1710.08005 (PyEPO)"

    def __init__(self, problem: Problem, nodes: int = 200) -> None:
        super().__init__(problem, nodes)
        self.function = self._functions.SPOPlus(self._model, reduction="none")

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """SPO+, nats; NaN in a row without a world that has the answer."""
        weights = self.weights(beliefs, given)
        world, missing = self.right_world(weights, answer)
        costs = functional.one_hot(answer.clamp_min(0), self.problem.symbols).to(weights.dtype)
        costs = (costs * (answer >= 0).unsqueeze(-1)).flatten(1)
        best = (answer >= 0).sum(-1, keepdim=True).to(weights.dtype)
        return self.function(weights.flatten(1), costs, world, best).masked_fill(missing, torch.nan)


class PyEPOPerturbed(_PyEPO):
    """PyEPO's Fenchel-Young loss of the perturbed optimum (`perturbedFenchelYoung`).

    `loss` is E max_w ⟨θ + σξ, w⟩ − ⟨θ, ŵ⟩ over the worlds w that obey the rules, with Gaussian ξ; θ and ŵ
    as in `PyEPOSPOPlus`. Its gradient is E argmax − ŵ. `perturbed` differs: there ŵ is perturbed as well, so
    that the loss is that of every world with the answer, and not negative. Noise comes from PyEPO's
    generator, in evaluation as in training. `forward` is the most likely world, without noise.

    Cost per row: `samples` + 1 most likely worlds, one by one in Python. Needs the extra [pyepo]. Source:
    Berthet et al. 2020, NeurIPS, arXiv:2002.08676, section 3; Tang and Khalil 2024, arXiv:2206.14234 (PyEPO).

    Args:
        problem: With its rules.
        samples: PyEPO's `n_samples`, 1 to 20.
        sigma: σ, 0.5 to 2.
        nodes: As `MapSolver` has it.

    Raises:
        UsageError: For samples below 1, or a sigma that is not positive.
    """

    source: ClassVar[str] = "Berthet et al. 2020, arXiv:2002.08676 (PyEPO)"

    def __init__(self, problem: Problem, samples: int = 4, sigma: float = 1.0, nodes: int = 200) -> None:
        if samples < 1 or sigma <= 0:
            raise UsageError(f"samples={samples}, sigma={sigma}: samples takes 1 or more, sigma more than 0")
        super().__init__(problem, nodes)
        self.function = self._functions.perturbedFenchelYoung(
            self._model,
            n_samples=samples,
            sigma=float(sigma),
            seed=int(torch.randint(2**31, (1,))),
            reduction="none",
        )

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """F(θ) − ⟨θ, ŵ⟩, nats; NaN in a row without a world that has the answer."""
        weights = self.weights(beliefs, given)
        world, missing = self.right_world(weights, answer)
        return self.function(weights.flatten(1), world).masked_fill(missing, torch.nan)

    def get_extra_state(self) -> dict[str, Any]:
        """Where the noise stands that PyEPO draws: the seed, and a generator for every device it drew on."""
        drawn = {device: generator.get_state() for device, generator in self._noise.items()}
        return {"seed": self.function.seed, "drawn": drawn}

    def set_extra_state(self, state: Any) -> None:
        """Takes the noise up from there."""
        self.function.seed = state["seed"]
        self._noise.clear()
        for device, drawn in state["drawn"].items():
            self._noise[device] = torch.Generator(device)
            self._noise[device].set_state(drawn.cpu())

    @property
    def _noise(self) -> dict[str, torch.Generator]:
        return self.function._gen_cache  # pyright: ignore[reportReturnType] - PyEPO has no other way to it


class PyEPOBlackbox(_PyEPO):
    """PyEPO's differentiable black box (`blackboxOpt`).

    As `blackbox`, in the package's own code: backward, the solver is asked again at θ − λ ∂L/∂y, with L the
    number of queries answered wrong. `forward` is the most likely world,
    differentiable that way. Its `negativeIdentity` is not offered, for it would hand ∂L/∂y past the solver,
    and that is zero at all givens.

    Cost per row: two most likely worlds, one by one in Python. Needs the extra [pyepo]. Source: Vlastelica et
    al. 2020, ICLR, arXiv:1912.02175, algorithm 1; Tang and Khalil 2024, arXiv:2206.14234 (PyEPO).

    Args:
        problem: With its rules.
        strength: λ in nats, 1 to 20 (PyEPO's `lambd`).
        nodes: As `MapSolver` has it.

    Raises:
        UsageError: For a strength that is not positive.
    """

    surrogate: ClassVar[bool] = True
    source: ClassVar[str] = "Vlastelica et al. 2020, arXiv:1912.02175 (PyEPO)"

    def __init__(self, problem: Problem, strength: float = 10.0, nodes: int = 200) -> None:
        if strength <= 0:
            raise UsageError(f"strength={strength}: λ is a positive number")
        super().__init__(problem, nodes)
        self.function = self._functions.blackboxOpt(self._model, lambd=float(strength))

    def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
        """The most likely world, differentiable by interpolation."""
        return self.function(self.weights(beliefs, given).flatten(1)).view_as(beliefs)

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """How many queries are answered wrong."""
        return missed(self(beliefs, given), answer)


def _optimisation_model(package: Any, solver: MapSolver) -> Any:
    """argmax_w ⟨c, w⟩ over the worlds, as an `optModel` of PyEPO."""

    class Worlds(package.model.opt.optModel):
        """Worlds of the rules; costs are the weights of "variable v takes symbol k"."""

        modelSense = package.EPO.MAXIMIZE  # noqa: N815

        def _getModel(self) -> tuple[MapSolver, range]:  # noqa: N802
            return solver, range(len(solver.problem.variables) * solver.problem.symbols)

        def setObj(self, c: Any) -> None:  # noqa: N802
            self.costs = torch.as_tensor(c)

        def solve(self) -> tuple[Any, float]:
            weights = self.costs.view(1, len(solver.problem.variables), solver.problem.symbols)
            world = solver.map_assignment(weights)
            return world.flatten().numpy(), float((world * weights).sum())

    return Worlds()
