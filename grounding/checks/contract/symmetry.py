"""Symmetries of a problem, read off its clauses."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from ....datasets.problem import Problem

MAX_CLAUSES = 20_000  # beyond, a search for symmetries takes longer than what it is for
ATTEMPTS = 40  # pairs of literals that are tried


@dataclass(frozen=True)
class Symmetry:
    """A permutation of the pairs (variable, symbol) that maps the rules to themselves.

    Cell v·symbols + k goes to `cells[v·symbols + k]`, and with it variable v to `variables[v]`.
    """

    variables: Int[np.ndarray, " variables"]
    cells: Int[np.ndarray, " cells"]


def find_symmetries(problem: Problem, most: int, seed: int = 0) -> list[Symmetry]:
    """Up to `most` symmetries other than the identity, found by refinement and individualisation.

    A pair of literals that refinement cannot tell apart is assumed to correspond, and the consequences
    are refined until every literal has its image; what comes out is verified on the clauses. Incomplete:
    where a branch fails the pair is given up. Source: McKay 1981, *Practical graph isomorphism*.
    """
    if problem.rules is None or len(problem.rules.clauses) > MAX_CLAUSES:
        return []
    clauses = sorted({tuple(sorted(set(clause))) for clause in problem.rules.clauses})
    graph = Graph(clauses)
    rng = np.random.default_rng(seed)
    base = graph.refine({})
    classes: dict[int, list[int]] = defaultdict(list)
    for literal in range(1, problem.indicators + 1):
        classes[base[literal]].append(literal)
    candidates = [members for members in classes.values() if len(members) > 1]
    found: dict[tuple[int, ...], Symmetry] = {}
    for attempt in range(ATTEMPTS if candidates else 0):
        members = candidates[attempt % len(candidates)]
        one, other = rng.choice(members, 2, replace=False)
        image = graph.match(int(one), int(other), rng)
        if image is None or not graph.preserves(image):
            continue
        symmetry = _as_cells(problem, image)
        if symmetry is not None:
            found.setdefault(tuple(symmetry.cells.tolist()), symmetry)
        if len(found) >= most:
            break
    return list(found.values())


class Graph:
    """Clauses as a graph of positive literals (all that rules in direct encoding move) and clauses."""

    def __init__(self, clauses: list[tuple[int, ...]]) -> None:
        self.clauses = clauses
        self.known = set(clauses)
        self.atoms = sorted({abs(literal) for clause in clauses for literal in clause})
        # For each atom the clauses it is in, and its sign there.
        self.of: dict[int, list[tuple[int, bool]]] = defaultdict(list)
        for number, clause in enumerate(clauses):
            for literal in clause:
                self.of[abs(literal)].append((number, literal > 0))

    def refine(self, marks: Mapping[int, int]) -> dict[int, int]:
        """Colours of the atoms, stable: atoms of one colour have neighbours of the same colours.

        A colour is a hash of what an atom is connected to, so that colours of two markings can be compared.
        """
        colour = {atom: marks.get(atom, 0) for atom in self.atoms}
        kinds = 0
        while len(set(colour.values())) != kinds:
            kinds = len(set(colour.values()))
            of_clause = [
                hash(tuple(sorted((colour[abs(literal)], literal > 0) for literal in clause)))
                for clause in self.clauses
            ]
            colour = {
                atom: hash((colour[atom], tuple(sorted((of_clause[n], sign) for n, sign in self.of[atom]))))
                for atom in self.atoms
            }
        return colour

    def match(self, one: int, other: int, rng: np.random.Generator) -> dict[int, int] | None:
        """An image for every atom in which `one` goes to `other`; None where refinement finds a conflict."""
        left, right = {one: 1}, {other: 1}
        while True:
            classes, images = _by_colour(self.refine(left)), _by_colour(self.refine(right))
            pairs = [(members, images[colour]) for colour, members in classes.items()]
            if any(len(a) != len(b) for a, b in pairs):
                return None
            open_ = [(a, b) for a, b in pairs if len(a) > 1]
            if not open_:
                return {a[0]: b[0] for a, b in pairs}
            a, b = min(open_, key=lambda pair: len(pair[0]))
            left[a[0]] = right[int(rng.choice(b))] = len(left) + 1

    def preserves(self, image: Mapping[int, int]) -> bool:
        """Whether the image of every clause is a clause."""
        signed = {sign * atom: sign * target for atom, target in image.items() for sign in (1, -1)}
        return all(
            tuple(sorted(signed[literal] for literal in clause)) in self.known for clause in self.clauses
        )


def _by_colour(colour: Mapping[int, int]) -> dict[int, list[int]]:
    classes: dict[int, list[int]] = defaultdict(list)
    for atom, shade in colour.items():
        classes[shade].append(atom)
    return classes


def _literals(problem: Problem) -> Iterator[tuple[int, int, int]]:
    for variable, size in enumerate(problem.domains):
        for symbol in range(size):
            yield problem.literal(variable, symbol), variable, symbol


def _as_cells(problem: Problem, image: Mapping[int, int]) -> Symmetry | None:
    """As a permutation of cells; None for the identity, and where the symbols of a variable part ways."""
    place = {literal: (variable, symbol) for literal, variable, symbol in _literals(problem)}
    cells = np.arange(len(problem.variables) * problem.symbols)
    variables = np.full(len(problem.variables), -1)
    for literal, (variable, symbol) in place.items():
        target = place.get(image[literal])
        if target is None or variables[variable] not in (-1, target[0]):
            return None
        variables[variable] = target[0]
        cells[variable * problem.symbols + symbol] = target[0] * problem.symbols + target[1]
    illegal = ~problem.legal
    for variable, target in enumerate(variables):  # cells that stand for no symbol go along
        cells[variable * problem.symbols + np.flatnonzero(illegal[variable])] = (
            target * problem.symbols + np.flatnonzero(illegal[target])
        )
    return None if (cells == np.arange(len(cells))).all() else Symmetry(variables, cells)
