"""Layers of other packages, and anything that maps a tensor to a tensor, as solvers."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..datasets.errors import UsageError
from ..datasets.problem import Problem
from .blackbox import missed
from .decision import MapSolver
from .exact import log_leaves
from .extras import Extra
from .neural import masked_softmax
from .rules.clauses import Clauses, eliminate_auxiliaries, with_answer
from .solver import Answer, Beliefs, Given, Solver, hide_queries

TensorMap = Callable[[Tensor], Tensor]


def from_callable(
    build: Callable[[Problem], TensorMap],
    *,
    rules: Literal["learned", "given"] = "learned",
    output: str = "logits",
) -> type[Solver]:
    """A solver class around any map from tensor to tensor.

    Args:
        build: Makes the map for a problem; the parameters of an nn.Module are trained. The map is handed
            (batch, variables, symbols + 1): the beliefs with zeros at the queries and, last, whether a
            variable is given. It returns (batch, variables, symbols).
        rules: Whether `build` is "given" the rules, or they are "learned".
        output: What the map returns: "logits", of which the softmax is taken at each query, or "beliefs",
            which are taken as they are at the queries.

    Raises:
        UsageError: For any other `output`.
    """
    if output not in ("logits", "beliefs"):
        raise UsageError(f"output={output!r}: it is logits or beliefs")
    declared = rules

    class FromCallable(Solver):
        """A map from tensor to tensor."""

        rules: ClassVar[Literal["learned", "given"]] = declared
        source: ClassVar[str] = "yours"

        legal: Tensor

        def __init__(self, problem: Problem) -> None:
            super().__init__(problem)
            self.map = build(problem)
            self.register_buffer("legal", torch.from_numpy(problem.legal.copy()), persistent=False)

        def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
            seen = torch.cat([hide_queries(beliefs, given), given.unsqueeze(-1).to(beliefs.dtype)], -1)
            mapped = self.map(seen)
            if mapped.shape != beliefs.shape:
                raise ValueError(
                    f"the map returned {tuple(mapped.shape)} for beliefs of {tuple(beliefs.shape)}: "
                    "return one number per variable and symbol"
                )
            if output == "logits":
                return masked_softmax(mapped, beliefs, given, self.legal)
            return torch.where(given.unsqueeze(-1), beliefs, mapped)

    return FromCallable


def from_decorator(decorator: Callable[[TensorMap], TensorMap]) -> type[MapSolver]:
    """A solver class whose gradient is a decorator's, in the manner of torch-imle.

    The loss is the number of queries answered wrong.

    Args:
        decorator: Is handed a function without a gradient, and returns one that has it. The function maps
            weights, (batch, variables · symbols), to the most likely world under the rules, as 0 and 1 of the
            same shape.
    """

    class FromDecorator(MapSolver):
        """The most likely world, differentiated by a decorator."""

        surrogate: ClassVar[bool] = True
        source: ClassVar[str] = "yours"

        def __init__(self, problem: Problem, nodes: int = 200) -> None:
            super().__init__(problem, nodes)
            self._decorated = decorator(self._decided)

        def _decided(self, flat: Tensor) -> Tensor:
            weights = flat.unflatten(1, (len(self.problem.variables), self.problem.symbols))
            return self.map_assignment(weights).flatten(1)

        def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
            return self._decorated(log_leaves(beliefs, given)).view_as(beliefs)

        def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
            return missed(self(beliefs, given), answer)

    return FromDecorator


class PublicSATNet(Solver):
    """The `satnet` package of its authors, as it is: for comparison with our own layer.

    The relaxation is that of `SATNet`. Its gradient towards the inputs is wrong, and it draws its start from
    the global generator in every forward pass, evaluation included, so that it is not deterministic. Needs
    the extra [satnet], which compiles a C++ extension. Cost as `SATNet`, in sweeps of its own kernels.
    Source: Wang et al. 2019, arXiv:1905.12149; github.com/locuslab/SATNet.

    Args:
        problem: Variables and their symbols; rules are not looked at.
        m: Rank of the clause matrix, a multiple of 4.
        aux: Auxiliary bits, 20 to 50.
    """

    deterministic: ClassVar[bool] = False
    source: ClassVar[str] = "Wang et al. 2019, arXiv:1905.12149 (public code)"
    extras: ClassVar[tuple[Extra, ...]] = (Extra("satnet", "satnet", "satnet"),)
    learning_rate: ClassVar[float] = 2e-3

    legal: Tensor

    def __init__(self, problem: Problem, m: int = 64, aux: int = 20) -> None:
        super().__init__(problem)
        [package] = (extra.load() for extra in self.extras)
        self.layer: nn.Module = package.SATNet(problem.indicators, m, aux)
        self.register_buffer("legal", torch.from_numpy(problem.legal.copy()), persistent=False)

    def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
        """The bits of every variable."""
        seen = hide_queries(beliefs, given)[:, self.legal].float().contiguous()
        known = given.unsqueeze(-1).expand(beliefs.shape)[:, self.legal].to(torch.int32).contiguous()
        completion = torch.zeros_like(beliefs)
        completion[:, self.legal] = self.layer(seen, known).to(beliefs.dtype)
        return completion


class LTN(MapSolver):
    """The rules' clauses in LTNtorch's operators: or by probabilistic sum, forall by p-mean error.

    `loss` is 1 − (1 − mean_clauses (1 − truth)ᵖ)^(1/p), with the answer at the queries. `forward` is the most
    likely world. Cost per row: the literals of all clauses. Needs the extra [ltn]. Source: Badreddine et al.
    2022, arXiv:2012.13635; Carraro et al. 2024, arXiv:2409.16045 (LTNtorch).

    Args:
        problem: With its rules.
        p: Grows the weight of the clause that is least true; 1 to 6.
        nodes: As `MapSolver` has it.
    """

    source: ClassVar[str] = "Badreddine et al. 2022, arXiv:2012.13635"
    extras: ClassVar[tuple[Extra, ...]] = (Extra("ltn.fuzzy_ops", "LTNtorch", "ltn"),)

    def __init__(self, problem: Problem, p: int = 2, nodes: int = 2000) -> None:
        super().__init__(problem, nodes)
        [operators] = (extra.load() for extra in self.extras)
        self._disjunction: Any = operators.OrProbSum()
        self._forall: Any = operators.AggregPMeanError(p=p)
        self.clauses = Clauses(problem)

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """1 − the degree to which all clauses hold."""
        first, *others = self.clauses(with_answer(beliefs, given, answer)).unbind(-1)
        for literal in others:
            first = self._disjunction(first, literal)
        return 1 - self._forall(first, dim=(1,))


class ConvexRelaxation(Solver):
    """The rules as linear inequalities, solved by cvxpylayers.

    x = argmax ⟨θ, x⟩ − ½ γ |x|² over 0 ≤ x ≤ 1 with Σ x = 1 per variable and Σ literals ≥ 1 per clause; θ are
    the beliefs at the givens. A relaxation: x may lie between worlds, and rules that linear inequalities do
    not capture are lost. Needs the extra [cvxpylayers]. Cost per row: one conic program, milliseconds for 4×4
    Sudoku. Source: Agrawal et al. 2019, NeurIPS, arXiv:1910.12430.

    Args:
        problem: With its rules.
        gamma: γ, more than 0; 0.1 to 1.
    """

    rules: ClassVar = "given"
    source: ClassVar[str] = "Agrawal et al. 2019, arXiv:1910.12430"
    extras: ClassVar[tuple[Extra, ...]] = (
        Extra("cvxpylayers.torch", "cvxpylayers", "cvxpylayers"),
        Extra("cvxpy", "cvxpy", "cvxpylayers"),
    )

    def __init__(self, problem: Problem, gamma: float = 0.5) -> None:
        super().__init__(problem)
        if gamma <= 0:
            raise UsageError(f"gamma={gamma}: without a positive curvature the answer has no gradient")
        layers, cvxpy = (extra.load() for extra in self.extras)
        self.legal = torch.from_numpy(problem.legal.copy())
        x, theta = cvxpy.Variable(problem.indicators), cvxpy.Parameter(problem.indicators)
        starts = [problem.literal(v, 0) - 1 for v in range(len(problem.variables))]
        within = [cvxpy.sum(x[a : a + size]) == 1 for a, size in zip(starts, problem.domains, strict=True)]
        owner = [v for v, size in enumerate(problem.domains) for _ in range(size)]
        rows: list[Any] = []
        for clause in eliminate_auxiliaries(problem):
            if len({owner[abs(literal) - 1] for literal in clause}) > 1:
                truth = [x[l - 1] if l > 0 else 1 - x[-l - 1] for l in sorted(clause)]  # noqa: E741
                rows.append(sum(truth) >= 1)
        objective = cvxpy.Maximize(theta @ x - gamma / 2 * cvxpy.sum_squares(x))
        program = cvxpy.Problem(objective, [x >= 0, *within, *rows])
        self._layer: Any = layers.CvxpyLayer(program, parameters=[theta], variables=[x])

    def forward(self, beliefs: Beliefs, given: Given) -> Beliefs:
        """The relaxed world."""
        weights = hide_queries(beliefs, given)[:, self.legal].double()
        (solved,) = self._layer(weights)
        completion = torch.zeros_like(beliefs)
        completion[:, self.legal] = solved.clamp(0, 1).to(beliefs.dtype)
        return completion
