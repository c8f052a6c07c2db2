"""How much training each task gets unless a user says otherwise."""

from dataclasses import replace

from ...datasets.task import Task
from .training import Training

# Enough for a solver that grounds to do so on every seed we measured (docs/results.md).
BUDGETS = {
    "mapping": Training(puzzles=2000, epochs=10, batch=64),
    "sudoku": Training(puzzles=600, epochs=15, batch=32),
}


def budget_for(task: Task, epochs: int | None = None) -> Training:
    """The default budget of a task, with another number of epochs where one is chosen."""
    budget = BUDGETS.get(task.name, Training())
    return budget if epochs is None else replace(budget, epochs=epochs)
