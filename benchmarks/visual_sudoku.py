"""Visual Sudoku 9×9 on MNIST, seed by seed: the table of 9×9 in docs/results.md.

    python benchmarks/visual_sudoku.py sudoku9.jsonl [--solvers acquired conditional] [--boards 600 3000]
                                       [--seeds 10] [--epochs N] [--option NAME=VALUE …] [--table]
                                       [--rows FILE]

Each run is that of `groundcheck run sudoku SOLVER --set size=9 --images mnist --set batch=16 --set
puzzles=BOARDS --epochs N --seed S`; answers at the blanks are the only supervision. `s` are seconds of one
core (of this process), scoring included. `task`: the blanks are all right (the published metric); `whole`:
all 81 cells as the solver returns them, where it may put a misread given right; `board`: all blanks right and
every image read right. Epochs follow the boards, so that every budget sees about as many boards in all,
unless they are given. A line of JSON per run is appended to the file, and what stands there is not run again;
`--table` only prints what stands there: means over seeds with their 95 % interval (Student's t over the
seeds), and from the lowest to the highest seed in brackets; `--rows` writes it as CSV, run by run.
"""

import argparse
import csv
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

from scipy.special import stdtrit

sys.path.remove(str(Path(__file__).parent))  # satnet.py beside this file would pass for the public package

from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.measures.interventions import Interventions
from groundcheck.grounding.measures.metrics import Scores
from groundcheck.grounding.suite.settings import parse_settings
from groundcheck.grounding.trials.answers import Answers
from groundcheck.grounding.trials.budget import budget_for
from groundcheck.grounding.trials.run import run_trial
from groundcheck.grounding.trials.session import LocalSession
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.trial import Trial

BATCH = 16
EPOCHS = {300: 16, 600: 8, 1000: 6, 3000: 3, 9000: 2}
FIGURES = ("task", "whole", "board", "cell", "raw", "aligned")
BOUNDED = ("task", "board", "cell", "raw", "aligned")  # by an interval of each run, on new puzzles and images


class WholeBoards(LocalSession):
    """Scoring in this process that also counts whole boards; no verdict looks at the cells of givens."""

    whole = 0.0
    ended = 0.0

    def finish(self, answers: Answers) -> tuple[Scores, Interventions | None]:
        """As `Session.finish`."""
        found = super().finish(answers)
        self.ended = time.process_time()
        symbols = answers.predict("test").argmax(-1)
        self.whole = float((symbols == self.sets["test"].sealed.solution.numpy()).all(axis=1).mean())
        return found


def run(solver: str, options: dict[str, object], boards: int, epochs: int, seed: int) -> dict[str, object]:
    """Trains once; what the line of JSON says."""
    task = Sudoku(size=9)
    budget = replace(budget_for(task, epochs), puzzles=boards, batch=BATCH)
    trial = Trial(
        task=task,
        solver=SolverSpec(solver, options),
        role="grounding",
        seed=seed,
        training=budget,
        images=ImageSource("mnist"),
    )
    started = time.process_time()
    session = WholeBoards(trial)
    outcome = run_trial(trial, scoring=lambda: session)
    scores = outcome.scores
    return {
        "solver": solver,
        "options": options,
        "boards": boards,
        "epochs": epochs,
        "seed": seed,
        "seconds": (session.ended or time.process_time()) - started,
        "error": outcome.error,
        **({name: getattr(scores, name, session.whole) for name in FIGURES} if scores else {}),
        "intervals": scores.intervals if scores else {},
        "path": outcome.path or (None if outcome.rules is None else f"{len(outcome.rules):,} rules"),
        "curve": [(point.epoch, point.task, point.raw) for point in outcome.curve],
    }


def table(lines: list[dict[str, object]]) -> str:
    """Means over the seeds of each solver and budget."""

    def told(values: list[float]) -> str:
        few, many = min(values), max(values)
        half = stdtrit(len(values) - 1, 0.975) * stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0
        within = f" ± {half:.3f} ({few:.3f}–{many:.3f})" if len(values) > 1 else ""
        return f"{fmean(values):.3f}{within}"

    rows = [
        "| solver | boards × epochs | seeds | " + " | ".join(FIGURES) + " | s |",
        "|---" * (len(FIGURES) + 4) + "|",
    ]
    groups: dict[tuple[object, ...], list[dict[str, object]]] = {}
    for line in lines:
        key = (line["solver"], json.dumps(line["options"]), line["boards"], line["epochs"])
        groups.setdefault(key, []).append(line)
    for (solver, options, boards, epochs), runs in sorted(
        groups.items(), key=lambda group: (group[0][:2], *(int(str(part)) for part in group[0][2:]))
    ):
        scored = [run for run in runs if "task" in run]
        cells = [told([float(str(run[name])) for run in scored]) if scored else "–" for name in FIGURES]
        seconds = fmean(float(str(run["seconds"])) for run in runs)
        called = str(solver) + ("" if options == "{}" else f" {options}")
        rows.append(
            f"| `{called}` | {boards:,} × {epochs} | {len(runs)} | {' | '.join(cells)} | {seconds:.0f} |"
        )
    return "\n".join(rows)


def write_rows(path: Path, lines: list[dict[str, object]]) -> None:
    """A line of CSV per run that was scored, with 95 % intervals."""
    bounds = [f"{name}_{side}" for name in BOUNDED for side in ("low", "high")]
    columns = ["solver", "boards", "epochs", "seed", *FIGURES, "seconds", *bounds, "rules"]
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for line in sorted(lines, key=lambda x: [str(x["solver"]), *(int(str(x[k])) for k in columns[1:4])]):
            intervals = line["intervals"]
            if "task" not in line or not isinstance(intervals, dict):
                continue
            figures = [round(float(str(line[name])), 4) for name in FIGURES]
            around = [round(float(bound), 4) for name in BOUNDED for bound in intervals[name]]
            seconds = round(float(str(line["seconds"])))
            writer.writerow([*(line[k] for k in columns[:4]), *figures, seconds, *around, line["path"] or ""])


def main() -> None:
    """Runs what is missing, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("ledger", type=Path)
    parser.add_argument("--solvers", nargs="+", default=["acquired", "conditional"])
    parser.add_argument("--boards", nargs="+", type=int, default=[600, 3000])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--option", nargs="*", default=[])
    parser.add_argument("--table", action="store_true", help="only print what the file has")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="write the runs there as CSV")
    asked = parser.parse_args()
    lines = (
        [json.loads(line) for line in asked.ledger.read_text().splitlines()] if asked.ledger.exists() else []
    )
    options = dict(parse_settings(asked.option))
    known = {(x["solver"], json.dumps(x["options"]), x["boards"], x["epochs"], x["seed"]) for x in lines}
    for boards in [] if asked.table else asked.boards:
        epochs = asked.epochs or EPOCHS[boards]
        for seed in range(asked.seeds):
            for solver in asked.solvers:
                if (solver, json.dumps(options), boards, epochs, seed) in known:
                    continue
                lines.append(run(solver, options, boards, epochs, seed))
                with asked.ledger.open("a") as ledger:
                    ledger.write(json.dumps(lines[-1]) + "\n")
                print(
                    {k: lines[-1][k] for k in ("solver", "boards", "seed", "seconds")}, lines[-1].get("task")
                )
    print(table(lines))
    if asked.rows:
        write_rows(asked.rows, lines)


if __name__ == "__main__":
    main()
