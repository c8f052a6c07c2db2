"""From what a user names to a solver that a trial can train."""

import contextlib
import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from ...datasets.errors import UnknownNameError, UsageError
from ...datasets.outside import OutsideCodeError, import_attribute, is_portable
from ...datasets.problem import Problem
from ...solvers.catalogue import SOLVERS
from ...solvers.extras import MissingExtraError
from ...solvers.solver import UnsupportedProblemError
from .declarations import misdeclared

Factory = Callable[..., Any]  # called with a Problem; what it returns is checked


class SolverBrokenError(OutsideCodeError):
    """A solver that could not be built, or that does not keep the contract."""


@dataclass(frozen=True)
class SolverSpec:
    """Which solver, and its options: what a trial takes along to the process it runs in.

    Args:
        name: A solver of ours or of an installed package, `package.module:attribute`, or
            `path/to/file.py:attribute`.
        options: What its constructor is handed besides the problem, by name.
        factory: The callable itself, `Problem -> nn.Module`; the name is then only what it is called.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    factory: Factory | None = None

    @classmethod
    def of(cls, solver: "str | Factory | SolverSpec", **options: Any) -> "SolverSpec":
        """A spec of what a user passes to `check`.

        Args:
            solver: A name, a callable, or a spec, which is returned as it is.
            **options: For its constructor.

        Raises:
            UnknownNameError: For what is neither, such as an instance of a solver.
        """
        if isinstance(solver, SolverSpec):
            return solver
        if isinstance(solver, str):
            return cls(solver, options)
        if not callable(solver) or isinstance(solver, nn.Module):
            raise UnknownNameError(
                f"solver {solver!r}: name one, or pass a callable that takes a Problem and returns an "
                "nn.Module (the class itself, not an instance: every trial builds its own)"
            )
        return cls(getattr(solver, "__qualname__", type(solver).__name__), options, solver)

    @property
    def ours(self) -> bool:
        """Whether it comes with groundcheck."""
        return self.factory is None and self.name in SOLVERS.ours

    @property
    def portable(self) -> bool:
        """Whether another process can be told of it: a lambda, or what a notebook defines, cannot be."""
        return self.factory is None or is_portable(self.factory)

    def load(self) -> Factory:
        """The callable that builds the solver.

        Raises:
            UnknownNameError: Where there is none of that name.
        """
        if self.factory is not None:
            return self.factory
        if ":" not in self.name:
            return SOLVERS.load(self.name)
        found = import_attribute(self.name, "solver")
        if isinstance(found, nn.Module):
            raise UnknownNameError(
                f"solver {self.name!r} is an instance of {type(found).__name__}: name the class itself, or a "
                "function that takes a Problem and returns an nn.Module; every trial builds its own"
            )
        if not callable(found):
            raise UnknownNameError(
                f"solver {self.name!r} is a {type(found).__name__}, not a callable that takes a Problem"
            )
        return found

    @property
    def awaits_evidence(self) -> bool:
        """Whether it declares that it needs evidence before it listens to beliefs."""
        return bool(getattr(self.load(), "evidence", 0))

    def build(self, problem: Problem) -> nn.Module:
        """Builds the solver of a problem.

        A solver from outside that declares nothing is taken to learn its rules: it then cannot profit from
        what it did not ask for. Lazy modules are given their shapes by one call. A factory that is no class
        may hand out one solver for all; what is trained is then a copy, and each starts from what was built.

        Args:
            problem: With its rules; a solver that learns them is handed it without.

        Raises:
            SolverBrokenError: Where it could not be built (with the constructor's traceback), or is no
                solver.
            UsageError: For options that a solver of ours does not take.
            MissingExtraError: Where a package that it builds on is not installed.
            UnsupportedProblemError: Where it is not made for this problem.
        """
        factory = self.load()
        rules = getattr(factory, "rules", "learned")
        if rules not in ("learned", "given"):
            raise SolverBrokenError(f"{self.name} declares rules={rules!r}: it is 'learned' or 'given'")
        handed = problem if rules == "given" else problem.without_rules()
        if sentence := misdeclared(factory):
            raise SolverBrokenError(f"{self.name} cannot be used: {sentence}")
        supports = getattr(factory, "supports", None)
        try:
            if supports is not None and not supports(handed):
                raise UnsupportedProblemError(f"{self.name} does not support this problem")
            solver = factory(handed, **self.options)
        except (MissingExtraError, UnsupportedProblemError):
            raise
        except Exception as error:
            if self.ours and isinstance(error, UsageError):
                raise
            raise SolverBrokenError(
                f"{self.name} could not be built: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(solver, nn.Module):
            raise SolverBrokenError(
                f"{self.name} returned a {type(solver).__name__} where an nn.Module with "
                "forward(beliefs, given) was expected"
            )
        if sentence := misdeclared(solver):
            raise SolverBrokenError(f"{self.name} cannot be used: {sentence}")
        if not isinstance(factory, type):
            with contextlib.suppress(Exception):  # what cannot be copied is handed out as it is
                solver = copy.deepcopy(solver)
        _materialise(solver, problem)
        return solver

    def try_options(self, problem: Problem) -> None:
        """Sees to it that a solver of ours takes the options that a user gave it.

        Solvers from outside are left to the checks: their constructors are no code of ours.

        Raises:
            UsageError: Where it does not.
        """
        if self.ours and self.options:
            with contextlib.suppress(
                SolverBrokenError, MissingExtraError, UnsupportedProblemError
            ):  # told by contract/build
                self.build(problem)


@torch.no_grad()
def _materialise(solver: nn.Module, problem: Problem) -> None:
    """Lets lazy modules see beliefs once, so that an optimiser finds their parameters."""
    if any(nn.parameter.is_lazy(p) for p in solver.parameters()):
        legal = torch.from_numpy(problem.legal).float()
        beliefs = (legal / legal.sum(-1, keepdim=True)).expand(2, -1, -1).clone()
        given = torch.ones(2, len(problem.variables), dtype=torch.bool)
        training = solver.training
        solver.eval()(beliefs, given)
        solver.train(training)
