"""Probabilistic logic by the package DeepProbLog."""

import contextlib
import importlib
import io
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..datasets.problem import Problem
from .decision import LISTED, MapSolver
from .exact import share_of_givens
from .extras import Extra, MissingExtraError
from .solver import PROBABILITY_FLOOR, Answer, Beliefs, Given, UnsupportedProblemError

EXTRA = Extra("deepproblog.model", "DeepProbLog", "deepproblog")


class DeepProbLog(MapSolver):
    """DeepProbLog's exact engine: beliefs are a neural predicate, the answer is a query to a logic program.

    The program has a fact for every world of the rules and the annotated disjunction `nn(reader, [X], Y,
    [0, …]) :: symbol(X, Y)`, whose probabilities are the beliefs at image X. The query is the puzzle: which
    variables are images, and which symbols the others have. It is grounded, compiled to an SDD and evaluated
    in DeepProbLog's graph semiring, in which gradients reach the beliefs. `loss` is −log P(query), the
    likelihood of rules and answer, as that of `exact`; but the semiring multiplies probabilities, not their
    logarithms, so that below 1e-30 it teaches nothing. `forward` is the most likely world.

    Each set of givens with its answer is compiled once and kept. Cost per row: the edges of its SDD, each a
    scalar of torch; at most 2,000 worlds. Needs the extra [deepproblog], and no SWI-Prolog. Source: Manhaeve
    et al. 2018, NeurIPS, arXiv:1805.10872, section 4; Manhaeve et al. 2021, Artificial Intelligence 298,
    arXiv:1907.08194.

    Args:
        problem: With its rules.
        nodes: As `MapSolver` has it.

    Raises:
        UnsupportedProblemError: For rules with more than 2,000 worlds.
    """

    source: ClassVar[str] = "Manhaeve et al. 2018, arXiv:1805.10872"
    extras: ClassVar[tuple[Extra, ...]] = (EXTRA,)

    def __init__(self, problem: Problem, nodes: int = 2000) -> None:
        models = load_without_prolog(EXTRA)
        super().__init__(problem, nodes)
        if self.table is None:
            raise UnsupportedProblemError(
                f"deepproblog lists all worlds of the rules, at most {LISTED:,}, and these rules on "
                f"{len(problem.variables)} variables have more: take a smaller task, or the solver exact"
            )
        self._program = _Program(models, problem, self.table.solutions.cpu().numpy())

    def loss(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """−log P(query); −log 1e-30, without gradient, where no world has the answer."""
        probability = self._program.probability(share_of_givens(beliefs, given), given, answer)
        return -(probability + PROBABILITY_FLOOR).log()


class _Program(Mapping[Any, Tensor]):
    """A model of DeepProbLog, and the source of its tensors: the beliefs that it is asked about.

    A copy is the same program: it never changes but for compiled queries, which are nobody's own.
    """

    def __init__(self, models: Any, problem: Problem, worlds: Int[np.ndarray, "worlds variables"]) -> None:
        self._models = models
        self._beliefs: Beliefs = torch.empty(0)
        reader = models.Network(nn.Identity(), "reader")
        self._model: Any = models.Model(_text(problem, worlds), [reader], load=False)
        with contextlib.redirect_stdout(io.StringIO()):  # it prints that it caches
            engine = importlib.import_module("deepproblog.engines").ExactEngine(self._model)
            self._model.set_engine(engine, cache=True)
        self._model.add_tensor_source("beliefs", self)

    def __deepcopy__(self, memo: object) -> "_Program":
        del memo
        return self

    def __getitem__(self, place: Any) -> Tensor:
        row, variable = map(int, place)
        return self._beliefs[row, variable]

    def __iter__(self) -> Iterator[Any]:
        return iter(np.ndindex(*self._beliefs.shape[:2]))

    def __len__(self) -> int:
        return self._beliefs.shape[0] * self._beliefs.shape[1]

    def probability(self, beliefs: Beliefs, given: Given, answer: Answer) -> Float[Tensor, " batch"]:
        """P(the symbols that are seen obey the rules, and have this answer)."""
        self._beliefs = beliefs
        seen = given.tolist()
        queries = [self._query(row, seen[row], symbols) for row, symbols in enumerate(answer.tolist())]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the semiring looks at a tensor as a number
            results = self._model.solve(queries)
        self._beliefs = torch.empty(0)
        found = [next(iter(result.result.values())) for result in results]
        return torch.stack([torch.as_tensor(p, dtype=beliefs.dtype, device=beliefs.device) for p in found])

    def _query(self, row: int, seen: list[bool], symbols: list[int]) -> Any:
        term, constant = self._models.Term, self._models.Constant
        leaves: list[Any] = []
        images: dict[Any, Any] = {}
        for variable, symbol in enumerate(symbols):
            if seen[variable]:
                place = term(f"x{variable}")
                images[place] = term("tensor", term("beliefs", constant(row), constant(variable)))
                leaves.append(term("image", place))
            else:
                leaves.append(term("known", constant(symbol)) if symbol >= 0 else term("open"))
        return self._models.Query(term("puzzle", *leaves), substitution=images)


def _text(problem: Problem, worlds: Int[np.ndarray, "worlds variables"]) -> str:
    """The program. What is known is unified before a world is looked up, images are read after it."""
    variables = range(len(problem.variables))
    leaves = ", ".join(f"L{v}" for v in variables)
    symbols = ", ".join(f"S{v}" for v in variables)
    fixed = ", ".join(f"fixed(L{v}, S{v})" for v in variables)
    read = ", ".join(f"read(L{v}, S{v})" for v in variables)
    return "\n".join(
        [
            f"nn(reader, [X], Y, [{', '.join(map(str, range(problem.symbols)))}]) :: symbol(X, Y).",
            "fixed(known(S), S).",
            "fixed(image(_), _).",
            "fixed(open, _).",
            "read(known(_), _).",
            "read(open, _).",
            "read(image(X), S) :- symbol(X, S).",
            f"puzzle({leaves}) :- {fixed}, world({symbols}), {read}.",
            *(f"world({', '.join(map(str, world))})." for world in worlds.tolist()),
        ]
    )


def load_without_prolog(extra: Extra) -> Any:
    """Imports DeepProbLog for its exact engine alone.

    Its other engine wants pyswip, and a pyswip that finds no SWI-Prolog breaks the import of both; pyswip is
    then hidden from it.

    Raises:
        MissingExtraError: Where it is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no pyswip
        try:
            return extra.load()
        except MissingExtraError as missing:
            if isinstance(missing.__cause__, ModuleNotFoundError):
                raise
        sys.modules["pyswip"] = None  # pyright: ignore[reportArgumentType]
        try:
            return extra.load()
        finally:
            del sys.modules["pyswip"]
