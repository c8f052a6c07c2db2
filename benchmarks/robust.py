"""Figures beyond the test set, solver by solver: a line of JSON as each ends, and the tables from them.

    python -P benchmarks/robust.py measure robust.jsonl --solvers exact --tasks sudoku --seeds 1
    python -P benchmarks/robust.py tables robust.jsonl
    python -P benchmarks/robust.py rows robust.jsonl --folder docs/results

-P, as satnet.py beside this file is not the package of that name.

Measures what `groundcheck check SOLVER --task TASK --images IMAGES --robust` would of so many seeds, whatever
Wald's test says of them: the solver, and the network without logic beside it. What is there is not measured
again.
"""

import argparse
import csv
import functools
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import msgspec

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.image_source import ImageSource
from groundcheck.grounding.checks.beyond import check_beyond
from groundcheck.grounding.checks.robust import BeyondSeeds
from groundcheck.grounding.measures.abstention import judge_abstention
from groundcheck.grounding.measures.robustness import RATES
from groundcheck.grounding.report.robustness import markdown, verdicts
from groundcheck.grounding.results.files import plain
from groundcheck.grounding.trials.budget import budget_for
from groundcheck.grounding.trials.evaluation import Evaluation
from groundcheck.grounding.trials.run import as_trained, run_trial
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Outcome, Role, Trial
from groundcheck.solvers.catalogue import SOLVERS

Key = tuple[str, str, str, Role, int]  # solver, task, images, role, seed
Cell = tuple[str, str, str]  # solver, task, images
TRACKS = ("found", "corrected", "answered")  # of wrong givens


def measure(path: Path, asked: argparse.Namespace) -> None:
    """Runs what is not there yet, or broke there: one seed of everything, then the next.

    The network without logic is trained with the pretraining and the rates of the solver that it stands
    beside. Where two solvers have the same it is the same network, bit by bit, and is trained once.
    """
    measured = [(key, outcome) for key, outcome in read(path) if outcome.error is None]
    known = {key for key, _ in measured}
    trained = {identity(trial_of(key, asked)): outcome for key, outcome in measured if key[3] == "baseline"}
    asked_for = [(s, t, i) for i in asked.images for t in asked.tasks for s in asked.solvers]
    for seed, cell in itertools.product(range(asked.seeds), asked_for):
        for role in ("grounding",) if cell[0] == "mlp" else asked.roles:
            key: Key = (*cell, role, seed)
            if key in known:
                continue
            trial, started = trial_of(key, asked), time.process_time()
            outcome = trained.get(identity(trial)) if role == "baseline" else None
            if outcome is None:
                outcome = run_trial(trial)
            if role == "baseline" and outcome.error is None:
                trained[identity(trial)] = outcome
            with path.open("a") as file:
                file.write(json.dumps({"key": key, "outcome": plain(outcome)}) + "\n")
            reached = outcome.scores.task if outcome.scores else outcome.error
            print(*key, reached, f"{time.process_time() - started:.1f} s", flush=True)
            if outcome.error is not None:
                break


def trial_of(key: Key, asked: argparse.Namespace) -> Trial:
    """A trial that is asked beyond its test set; a baseline with the budget that its solver recommends."""
    solver, task, images, role, seed = key
    chosen, spec = TASKS.load(task)(), SolverSpec(solver, json.loads(asked.options))
    budget = budget_for(chosen, asked.epochs)
    return Trial(
        task=chosen,
        solver=SolverSpec("mlp") if role == "baseline" else spec,
        role=role,
        seed=seed,
        training=as_trained(budget, spec, chosen) if role == "baseline" else budget,
        images=ImageSource(images),
        evaluation=Evaluation(robust=True, wrong=asked.wrong),
    )


def identity(trial: Trial) -> tuple[str, str, int, Training]:
    """What tells two baselines of this file apart."""
    return trial.task.name, trial.images.name, trial.seed, trial.training


def read(path: Path) -> list[tuple[Key, Outcome]]:
    """What was measured."""
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [(tuple(line["key"]), msgspec.convert(line["outcome"], Outcome)) for line in lines]


def cells(path: Path) -> dict[Cell, list[Outcome]]:
    """The trials of each cell: solver, task, images."""
    found: dict[Cell, list[Outcome]] = {}
    for (solver, task, images, _, _), outcome in read(path):
        found.setdefault((solver, task, images), []).append(outcome)
    return found


def figures(cell: Cell, outcomes: list[Outcome]) -> dict[str, object] | None:
    """What is told of a cell, by column; None where no trial of it ended."""
    solver, task, images = cell
    asked = [o for o in outcomes if o.role == "grounding" and o.beyond is not None]
    if not asked:
        return None
    found = {finding.check: finding for finding in check_beyond(BeyondSeeds(outcomes), task)}
    suites = verdicts(outcomes)
    broken = [one for one in suites if one.verdict == "NOT ROBUST"]
    ood, error = found["ood"], found["abstain/calibration"]
    clean, corrupted = (
        judge_abstention([part for o in asked if o.beyond and (part := getattr(o.beyond, name))]).verdict
        for name in ("clean", "corrupted")
    )
    first = {one.breaks for one in broken}
    breaks = ", ".join(f"{one.suite} at {one.breaks:g}" for one in broken)
    if len(broken) == len(suites) and len(first) == 1:
        breaks = f"all at {broken[0].breaks:g}"
    counted = ("ROBUST", "NOT ROBUST", "UNDECIDED")
    return {
        "solver": solver, "task": task, "images": images,
        "seeds": len(asked), "epochs": asked[0].curve[-1].epoch,
        "boards": suites[0].rates[0].boards if suites else 0,
        "test": mean(asked, lambda o: o.scores and o.scores.task),
        "ood": mean(asked, lambda o: o.beyond and o.beyond.ood and o.beyond.ood.task),
        "ood raw": mean(asked, lambda o: o.beyond and o.beyond.ood and o.beyond.ood.raw),
        "ood aligned": mean(asked, lambda o: o.beyond and o.beyond.ood and o.beyond.ood.aligned),
        "lost": ood.figure, "lost low": ood.interval and ood.interval[0],
        "lost high": ood.interval and ood.interval[1],
        **{name: sum(one.verdict == name for one in suites) for name in counted},
        "breaks": breaks,
        **{
            f"{whose}{track}": mean(asked, functools.partial(of_wrong, track=track, exact=bool(whose)))
            for track in TRACKS for whose in ("", "exact ")
        },
        **{f"risk {c}": mean(asked, functools.partial(risk, coverage=c)) for c in ("80", "90", "95")},
        "test puzzles": clean, "corrupted": corrupted,
        "error": error.figure, "error low": error.interval and error.interval[0],
        "error high": error.interval and error.interval[1],
        "entropy": mean(asked, lambda o: o.beyond and o.beyond.worlds and o.beyond.worlds.entropy),
        "exact entropy": mean(asked, lambda o: o.beyond and o.beyond.worlds and o.beyond.worlds.exact),
        "divergence": mean(asked, lambda o: o.beyond and o.beyond.worlds and o.beyond.worlds.divergence),
    }  # fmt: skip


def mean(outcomes: list[Outcome], of: Callable[[Outcome], float | None]) -> float | None:
    """Over the seeds that have the figure."""
    known = [value for outcome in outcomes if (value := of(outcome)) is not None]
    return fmean(known) if known else None


def of_wrong(outcome: Outcome, *, track: str, exact: bool) -> float | None:
    """What became of wrong givens, of a solver or of the exact posterior."""
    found = outcome.beyond and outcome.beyond.correction
    if found is None:
        return None
    return found.exact.get(track) if exact else getattr(found, track)


def risk(outcome: Outcome, *, coverage: str) -> float | None:
    """Share of wrong answers among the surest test puzzles."""
    clean = outcome.beyond and outcome.beyond.clean
    return clean.risk.get(coverage) if clean else None


def summary(found: dict[Cell, list[Outcome]]) -> str:
    """A line per solver, task and images; below it what could not be measured, and why."""
    lines = [
        "| task | images | solver | test | lost on ood | ROBUST / NOT / UNDECIDED | one wrong given: found, "
        "corrected, answered (exact) | risk at 80, 90, 95 % | test puzzles / corrupted | calibration error | "
        "worlds: left, exact, apart |",
        "|---" * 11 + "|",
    ]
    left_out: list[str] = []
    for cell, outcomes in found.items():
        told = figures(cell, outcomes)
        if told is None:
            why = (outcomes[-1].error or "it was not asked").strip().splitlines()[-1]
            left_out.append(f"- `{cell[0]}`, {cell[1]}, {cell[2]}: {why}")
            continue
        broken = f" ({told['breaks']})" if told["breaks"] else ""
        columns = [
            told["task"], told["images"], f"`{told['solver']}`", two(told["test"]),
            f"{two(told['lost'])} ({two(told['lost low'])} to {two(told['lost high'])})",
            f"{told['ROBUST']} / {told['NOT ROBUST']} / {told['UNDECIDED']}{broken}",
            ", ".join(f"{two(told[name])} ({two(told['exact ' + name])})" for name in TRACKS),
            ", ".join(two(told[f"risk {c}"]) for c in ("80", "90", "95")),
            f"{told['test puzzles']} / {told['corrupted']}",
            f"{two(told['error'])} ({two(told['error low'])} to {two(told['error high'])})",
            ", ".join(two(told[name]) for name in ("entropy", "exact entropy", "divergence")),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(map(str, columns))} |")
    return "\n".join([*lines, "", *left_out])


def two(value: object) -> str:
    """With two decimals; a dash where there is none."""
    return f"{round(value, 2) + 0.0:.2f}" if isinstance(value, float | int) else "–"


def tables(path: Path) -> None:
    """Markdown, as docs/results.md and docs/robustness.md have it: a summary, then solver by solver."""
    found = cells(path)
    print(summary(found))
    for (solver, task, images), outcomes in found.items():
        if drawn := markdown(outcomes):
            print(f"\n### {solver}, {task}, {images}\n\n{drawn}")
            for finding in check_beyond(BeyondSeeds(outcomes), task):
                if finding.status != "skip" and (
                    finding.family != "robust" or finding.check == "robust/copies"
                ):
                    print(f"- `{finding.check}` {finding.status}: {finding.reason}.")


def rows(path: Path, folder: Path) -> None:
    """Two CSV files: beyond.csv, a row per cell, and suites.csv, boards answered right by suite and rate."""
    told = [row for cell, outcomes in cells(path).items() if (row := figures(cell, outcomes))]
    with (folder / "beyond.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(told[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {name: round(v, 4) if isinstance(v, float) else v for name, v in row.items()} for row in told
        )
    with (folder / "suites.csv").open("w", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        whose = ("solver", "baseline", "exact", "cascade")
        shares = [f"{who} {rate:g}" for who in whose for rate in RATES]
        lines.writerow(["solver", "task", "images", "suite", "verdict", "boards", *shares])
        for cell, outcomes in cells(path).items():
            for one in verdicts(outcomes):
                values = [getattr(rate, who) for who in whose for rate in one.rates]
                shown = ["" if value is None else f"{value:.4f}" for value in values]
                lines.writerow([*cell, one.suite, one.verdict, one.rates[0].boards, *shown])


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["measure", "tables", "rows"])
    parser.add_argument("path", type=Path)
    parser.add_argument("--solvers", nargs="+", default=list(SOLVERS.ours))
    parser.add_argument("--tasks", nargs="+", default=["sudoku", "addition"])
    parser.add_argument("--images", nargs="+", default=["digits", "mnist"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--wrong", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("docs/results"), help="of the rows")
    parser.add_argument("--epochs", type=int, help="of training; by default those of the task")
    parser.add_argument("--roles", nargs="+", default=["grounding", "baseline"])
    parser.add_argument("--options", default="{}", help="of the solver, as JSON")
    asked = parser.parse_args()
    if asked.what == "measure":
        measure(asked.path, asked)
    elif asked.what == "rows":
        rows(asked.path, asked.folder)
    else:
        tables(asked.path)


if __name__ == "__main__":
    main()
