"""Which way of summing over the worlds of some rules fits: a table, or a circuit."""

from ...datasets.errors import UsageError
from ...datasets.problem import Problem
from ..extras import MissingExtraError
from .circuits import Circuit, installed
from .worlds import Enumeration, TooManySolutionsError, Worlds

TABLE_LIMIT = 2_000  # worlds up to which the table is faster than a circuit


def worlds_of(problem: Problem, reasoning: str = "auto") -> Worlds:
    """The worlds of a problem's rules, as "enumeration", as "circuit", or ("auto") as what fits.

    A step of 64 rows took 3 ms by table and 10 ms by circuit with 288 worlds, 60 ms and 6 ms with 10,000;
    so "auto" takes the table up to 2,000 worlds, and up to 100,000 where circuits are not installed. Raises
    `TooManySolutionsError` where neither will do, `MissingExtraError` where only a circuit would do, or is
    asked for, and is not installed, and `ValueError` where the rules are unknown or have no solution.
    """
    if reasoning not in ("auto", "enumeration", "circuit"):
        raise UsageError(f"reasoning={reasoning!r}: it is auto, enumeration or circuit")
    if reasoning == "enumeration":
        return Enumeration(problem)
    if reasoning == "auto" and not installed():
        try:
            return Enumeration(problem)
        except TooManySolutionsError as error:
            raise MissingExtraError(str(error)) from error
    circuit = Circuit(problem)
    return Enumeration(problem) if reasoning == "auto" and circuit.count() <= TABLE_LIMIT else circuit
