"""A method that is a loss and nothing else: python examples/loss_only.py.

`MapSolver` answers with the most likely world under the rules; what is left to write is how perception
learns.
"""

from typing import ClassVar

from rich.console import Console

from groundcheck.grounding import Report, check, print_report
from groundcheck.solvers import Clauses, MapSolver, with_answer


class ExpectedlyBroken(MapSolver):
    """The number of clauses that symbols drawn from the beliefs would break, literals taken as
    independent.
    """

    source: ClassVar[str] = "an example"

    def __init__(self, problem):
        super().__init__(problem)
        self.clauses = Clauses(problem, between=True)

    def loss(self, beliefs, given, answer):
        """Σ over clauses of ∏ over literals of the probability that the literal is false; per row."""
        return (1 - self.clauses(with_answer(beliefs, given, answer))).prod(-1).sum(-1)


def main(**options) -> Report:
    """Checks it on masked 4×4 visual Sudoku; options are those of `check`."""
    return check(ExpectedlyBroken, tasks=["sudoku"], **options)


if __name__ == "__main__":
    print_report(main(), Console())
