"""A problem: variables, the symbols each may take, and the rules that join them."""

import bisect
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int
from pysat.card import CardEnc, EncType
from pysat.formula import CNF, IDPool
from pysat.solvers import Solver as SatSolver

# Above this many symbols an at-most-one constraint takes auxiliary variables: about 3k clauses against the
# k(k−1)/2 binary ones of the pairwise form, which up to here propagates faster and keeps symmetries readable.
PAIRWISE_LIMIT = 16


@dataclass(frozen=True)
class Problem:
    """Variables over finite domains, and the rules as CNF over their indicator literals.

    The literal of "variable v takes symbol k" is `literal(v, k)`. Indicator literals are 1 … sum(domains),
    variable by variable. Literals above these are auxiliary: determined by the indicators, or existentially
    quantified. The rules state for every variable that it takes exactly one symbol.

    Args:
        variables: A name for each variable.
        domains: How many symbols each variable may take, at least 2: they are 0 … domain − 1.
        rules: The formula, of python-sat; None where a solver must learn the rules. Variables and domains are
            known even then.

    Raises:
        ValueError: For no variable, a domain below 2, or a different number of variables and domains.
    """

    variables: tuple[str, ...]
    domains: tuple[int, ...]
    rules: CNF | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.variables) != len(self.domains):
            raise ValueError(
                f"{len(self.variables)} variables but {len(self.domains)} domains: give each variable one"
            )
        if not self.variables or min(self.domains) < 2:
            raise ValueError("a problem needs at least one variable, and at least two symbols for each")

    def __deepcopy__(self, memo: object) -> "Problem":
        """Itself: it never changes, and python-sat's formulas refuse to be copied."""
        del memo
        return self

    @cached_property
    def symbols(self) -> int:
        """Size of the largest domain: the last dimension of beliefs."""
        return max(self.domains)

    @cached_property
    def legal(self) -> Bool[np.ndarray, "variables symbols"]:
        """Which symbols each variable may take; beliefs are zero elsewhere."""
        return np.arange(self.symbols)[None, :] < np.asarray(self.domains)[:, None]

    @cached_property
    def _offsets(self) -> tuple[int, ...]:
        return (0, *itertools.accumulate(self.domains))

    @property
    def indicators(self) -> int:
        """How many indicator literals there are; auxiliary literals lie above."""
        return self._offsets[-1]

    def literal(self, variable: int, symbol: int) -> int:
        """The CNF literal of "this variable takes this symbol", both counted from 0.

        Raises:
            ValueError: For a symbol that the variable cannot take.
        """
        if not 0 <= symbol < self.domains[variable]:
            raise ValueError(
                f"symbol {symbol} of variable {self.variables[variable]!r}: "
                f"it takes 0 to {self.domains[variable] - 1}"
            )
        return 1 + self._offsets[variable] + symbol

    def meaning(self, literal: int) -> tuple[int, int]:
        """The variable and the symbol that an indicator literal, of either sign, speaks of.

        Raises:
            ValueError: For an auxiliary literal.
        """
        if not 1 <= abs(literal) <= self.indicators:
            raise ValueError(f"literal {literal} speaks of no variable: these are ±1 to ±{self.indicators}")
        variable = bisect.bisect_right(self._offsets, abs(literal) - 1) - 1
        return variable, abs(literal) - 1 - self._offsets[variable]

    def without_rules(self) -> "Problem":
        """The same variables and domains, for a solver that learns its rules."""
        return replace(self, rules=None)

    def decode(self, model: Sequence[int]) -> Int[np.ndarray, " variables"]:
        """The symbol of each variable in a SAT model.

        Args:
            model: Signed literals in order, as python-sat returns them; auxiliary ones are ignored.

        Returns:
            (variables,) symbols.

        Raises:
            ValueError: Where the model does not give every variable one symbol.
        """
        held = np.flatnonzero(np.asarray(model[: self.indicators]) > 0)
        if len(held) != len(self.variables):
            raise ValueError(
                f"a model that gives {len(self.variables)} variables {len(held)} symbols: one each"
            )
        return held - np.asarray(self._offsets[:-1])

    def assumptions(self, symbols: Sequence[int]) -> list[int]:
        """Literals that fix variables to symbols, as python-sat takes them.

        Args:
            symbols: One per variable; −1 leaves a variable open.

        Raises:
            ValueError: For a symbol that its variable cannot take.
        """
        chosen = np.asarray(symbols)
        if (beyond := np.flatnonzero(chosen >= np.asarray(self.domains))).size:
            self.literal(int(beyond[0]), int(chosen[beyond[0]]))  # raises, naming the variable
        return (1 + np.asarray(self._offsets[:-1]) + chosen)[chosen >= 0].tolist()

    def solutions(self, limit: int | None = None) -> Iterator[Int[np.ndarray, " variables"]]:
        """Every assignment of symbols that satisfies the rules, each once.

        Args:
            limit: At most so many; None for all.

        Returns:
            An iterator over assignments, each (variables,) symbols.

        Raises:
            ValueError: Where the problem was handed over without its rules.
        """
        if self.rules is None:
            raise ValueError("this problem was given without rules, so its solutions are unknown")
        with SatSolver(name="cadical153", bootstrap_with=self.rules) as solver:
            found = itertools.count() if limit is None else range(limit)
            for _ in found:
                if not solver.solve():
                    return
                solution = self.decode(solver.get_model() or [])
                yield solution
                solver.add_clause([-literal for literal in self.assumptions(solution.tolist())])


def make_problem(
    variables: Sequence[str],
    domains: Sequence[int],
    clauses: Iterable[Sequence[int]] = (),
) -> Problem:
    """A problem whose rules are `clauses` plus "exactly one symbol" for every variable.

    Domains of up to 16 symbols are constrained pairwise, larger ones by python-sat's sequential counter.

    Args:
        variables: A name for each variable.
        domains: How many symbols each variable may take, at least 2.
        clauses: Lists of signed literals, as `Problem.literal` numbers them; those above `sum(domains)` are
            auxiliary.

    Raises:
        ValueError: For no variable, a domain below 2, or a different number of variables and domains.
    """
    problem = Problem(tuple(variables), tuple(domains))
    rules = CNF(from_clauses=[list(clause) for clause in clauses])
    pool = IDPool(start_from=max(problem.indicators, rules.nv or 0) + 1)
    for variable, size in enumerate(domains):
        literals = [problem.literal(variable, symbol) for symbol in range(size)]
        encoding = EncType.pairwise if size <= PAIRWISE_LIMIT else EncType.seqcounter
        rules.extend(CardEnc.equals(lits=literals, bound=1, vpool=pool, encoding=encoding).clauses)
    return replace(problem, rules=rules)
