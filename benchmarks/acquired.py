"""How far pairs of answers go: the table of rules that `acquired` finds in docs/rules-learned.md.

    python benchmarks/acquired.py [TASK …] [--seeds 4]

Trains the solver on true symbols for an epoch, in batches of 32, and then on the first batch once more, as a
second epoch would. `found`: how many rules, from the least to the most over the seeds; `false`: the share of
them that forbid what 20,000 further boards show; what follows by SAT is told of the first seed, up to 9×9.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.remove(str(Path(__file__).parent))  # satnet.py beside this file would pass for the public package

import numpy as np
import torch

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.problem import Problem
from groundcheck.datasets.task import Task
from groundcheck.grounding.measures.acquired_rules import compare_rules
from groundcheck.grounding.trials.network import place_readings
from groundcheck.grounding.trials.session import LocalSession
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Trial
from groundcheck.solvers.acquired import Acquired
from groundcheck.solvers.rules.acquisition import Rule, forbidden_cells

BATCH, FURTHER = 32, 20_000


@dataclass(frozen=True)
class Row:
    """A task, and how much of it is shown."""

    task: Task
    boards: int
    wrong: float = 0.0

    @property
    def name(self) -> str:
        """With what is set."""
        size = getattr(self.task, "size", None)
        permuted = ", cells permuted" if getattr(self.task, "permuted", False) else ""
        return self.task.name + ("" if size is None else f" {size}") + permuted


def rows(name: str, *boards: int, wrong: tuple[float, ...] = (0.0,), **settings: Any) -> list[Row]:
    """Of a task that is seen as symbols."""
    task = TASKS.load(name)(seen="symbols", **settings)
    return [Row(task, number, share) for number in boards for share in wrong]


WRONG = (0.0, 0.0005, 0.01, 0.05)
ROWS = (
    *rows("sudoku", 300, 600, 1000, 3000, wrong=WRONG, size=9),
    *rows("sudoku", 600, size=9, permuted=True),
    *rows("sudoku", 300, wrong=WRONG),
    *rows("sudoku", 300, permuted=True),
    *rows("sudoku", 200, 600, size=6),
    *rows("sudoku", 600, size=16),
    *rows("latin", 200, 600, size=5),
    *rows("queens", 600, 1000, 3000, size=7),
    *rows("queens", 3000, wrong=(0.001, 0.01, 0.05), size=7),
    *rows("queens", 600, 1000, 3000, size=8),
    *rows("futoshiki", 300, size=5),
    *(row for name in ("parity", "mapping", "half", "evenodd", "addition") for row in rows(name, 3000)),
)


def learned(row: Row, seed: int) -> tuple[Problem, list[Rule]]:
    """The problem of this seed, and the rules after an epoch."""
    trial = Trial(
        task=row.task,
        solver=SolverSpec("acquired"),
        role="reasoning",
        seed=seed,
        training=Training(puzzles=row.boards, batch=BATCH, epochs=1, wrong_answers=row.wrong),
        validation_puzzles=1,
        test_puzzles=1,
    )
    session = LocalSession(trial)
    problem = row.task.drawn(seed).problem
    solver = Acquired(problem.without_rules()).train()
    legal = torch.from_numpy(problem.legal)
    starts = [*range(0, row.boards, BATCH), 0]
    with torch.no_grad():
        for start in starts:
            batch = session.training.batch(slice(start, start + BATCH))
            solver.loss(place_readings(legal, batch, None), batch.given, batch.answer)
    return problem, solver.learned_rules


def seen_together(task: Task, problem: Problem) -> np.ndarray:
    """Which cells further boards show together, (variables · symbols)²."""
    solution = task.generate("test", FURTHER, 0).solution.astype(np.int64)
    hot = (solution[..., None] == np.arange(problem.symbols)).reshape(len(solution), -1).astype(np.float32)
    return hot.T @ hot > 0


def main() -> None:
    """A line per row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "tasks", nargs="*", metavar="TASK", help=", ".join(sorted({r.task.name for r in ROWS}))
    )
    parser.add_argument("--seeds", type=int, default=4)
    asked = parser.parse_args()
    if unknown := set(asked.tasks) - {row.task.name for row in ROWS}:
        parser.error(f"no rows on {', '.join(sorted(unknown))}")
    print("| task | boards | wrong answers | found | false | against the task |\n|---|---|---|---|---|---|")
    for row in ROWS:
        if asked.tasks and row.task.name not in asked.tasks:
            continue
        counts, false, told = [], 0, "–"
        for seed in range(asked.seeds):
            problem, rules = learned(row, seed)
            counts.append(len(rules))
            shown = seen_together(row.task.drawn(seed), problem)
            false += sum(bool((forbidden_cells(problem, [rule]) & shown).any()) for rule in rules)
            if seed == 0 and len(problem.variables) <= 81:
                found = compare_rules(problem, rules)
                missing, false_rules = len(found.missing), len(found.superfluous)
                told = {True: "equivalent", None: "not decided"}.get(
                    found.equivalent,
                    f"{missing:,} clauses missing, {false_rules} superfluous"
                    if missing or false_rules
                    else "weaker",
                )
        few, many = min(counts), max(counts)
        number = f"{few:,}" if few == many else f"{few:,} to {many:,}"
        share = "–" if not many else f"{false / sum(counts):.1%}"
        print(f"| {row.name} | {row.boards:,} | {row.wrong:.2%} | {number} | {share} | {told} |", flush=True)


if __name__ == "__main__":
    main()
