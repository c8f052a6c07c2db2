"""How it grows: the exponent of processor time between doublings, for everything that there may be more of.

    python -P benchmarks/growth.py [AXIS ...] [--repeats 3]

Axes are puzzles, board size, symbols, trials, seeds, workers, checks and report rows. Each row of the table
is one thing done with n of them, for several n, each about double the one before and so many that what it
costs to begin is hidden. An exponent is log(time ratio) / log(n ratio), of the least of several repeats; a
row that is over its bound is measured again, up to three times, as the least of more repeats is nearer to
what the work takes. The bound is 1.1, unless `REASONS` states another and why; the exit status is 1 where a
row stays over it.
"""

import argparse
import gc
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch

from groundcheck.datasets.batch import assemble
from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.latin import Latin
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.problem import make_problem
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding import Processes, Training, Trial, read_experiment, run_experiment, run_trial, tidy
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.checks.registry import Registry, Result, passed
from groundcheck.grounding.experiments.file import parse_experiment
from groundcheck.grounding.measures.identifiability import count_relabellings
from groundcheck.grounding.measures.metrics import add_readings, confusion_matrix, score
from groundcheck.grounding.report.experiment_page import render_experiment
from groundcheck.grounding.report.html import render_report
from groundcheck.grounding.report.leaderboard import render_leaderboard
from groundcheck.grounding.results.accounting import account
from groundcheck.grounding.results.cell_reports import experiment_reports
from groundcheck.grounding.results.cells import cell_results
from groundcheck.grounding.results.comparison import compare
from groundcheck.grounding.results.experiment import ExperimentRecord
from groundcheck.grounding.results.experiment_directory import TRIALS
from groundcheck.grounding.results.files import plain
from groundcheck.grounding.results.pooling import pooled
from groundcheck.grounding.results.report import Report
from groundcheck.grounding.results.run_directory import append_line
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.solvers.catalogue import SOLVERS

FOLDER = tempfile.mkdtemp(prefix="growth-")
BOUND = 1.1
AGAIN = 3  # times that a row over its bound is measured again
# What may grow faster: with which exponent, and why. Noise is allowed for as in the bound of the others.
REASONS = {
    "board size: 9×9 and 16×16 drawn": (
        5.0,
        "a board is emptied while its solution stays the only one: search, at worst exponential, 4.6 here",
    ),
    "board size: Latin squares assembled": (
        2.2,
        "a board has size² cells, and shows 13.5 of 25 and 57.5 of 100: 2.09, and 0.1 as elsewhere",
    ),
    "board size: perception's step": (2.1, "a board shows size² images, less those that are asked for"),
    "board size: SATNet's step": (
        6.1,
        "a board has size³ bits, and every bit meets every other: a product of size³ × size³",
    ),
    "symbols: readings scored": (
        3.1,
        "a confusion matrix has symbols² numbers, its best relabelling takes symbols³ steps (Hungarian)",
    ),
    "symbols: SATNet's step": (2.1, "a bit for each symbol, and every bit meets every other"),
}

Work = Callable[[], object]
Prepared = Callable[[int], Work]  # for n of them, what is timed


@dataclass(frozen=True)
class Row:
    """One thing done with more and more of something; `prepare` is not timed."""

    axis: str
    what: str
    sizes: tuple[int, ...]
    prepare: Prepared

    @property
    def name(self) -> str:
        """As REASONS has it."""
        return f"{self.axis}: {self.what}"

    @property
    def bound(self) -> float:
        """Above which it fails."""
        return REASONS.get(self.name, (BOUND, ""))[0]


ROWS: list[Row] = []


def row(axis: str, what: str, *sizes: int) -> Callable[[Prepared], Prepared]:
    """Adds a row: the function prepares the work with n, and returns it."""

    def add(prepare: Prepared) -> Prepared:
        ROWS.append(Row(axis, what, sizes, prepare))
        return prepare

    return add


# Puzzles


@row("puzzles", "9×9 boards drawn", 1000, 2000, 4000, 8000)
def _(n: int) -> Work:
    return lambda: Sudoku(size=9).generate("train", n, 0)


@row("puzzles", "assembled with images", 20_000, 40_000, 80_000, 160_000)
def _(n: int) -> Work:
    puzzles, bank = Sudoku().generate("train", n, 0), ImageSource("digits").load().train
    return lambda: assemble(Sudoku(), puzzles, bank)


@row("puzzles", "trained and scored", 1000, 2000, 4000, 8000)
def _(n: int) -> Work:
    training = Training(puzzles=n, epochs=1, batch=32)
    trial = replace(tiny(0), role="grounding", training=training, test_puzzles=n)
    return lambda: done(run_trial(trial))


@row("puzzles", "relabellings counted", 16_000, 32_000, 64_000, 128_000)
def _(n: int) -> Work:
    puzzles = Sudoku(size=9).generate("train", n, 0)
    return lambda: count_relabellings(Sudoku(size=9), puzzles)


# Board size: of equally many boards


@row("board size", "9×9 and 16×16 drawn", 9, 16)
def _(n: int) -> Work:
    return lambda: Sudoku(size=n).generate("train", 300, 0)


@row("board size", "Latin squares assembled", 5, 10)
def _(n: int) -> Work:
    task, bank = Latin(size=n), ImageSource("digits").load().train
    puzzles = task.generate("train", 10_000, 0)
    return lambda: assemble(task, puzzles, bank)


@row("board size", "perception's step", 4, 9)
def _(n: int) -> Work:
    training = Training(puzzles=256, epochs=1, batch=32)
    trial = replace(tiny(0), task=Sudoku(size=n), role="ceiling", training=training)
    return lambda: done(run_trial(trial))


@row("board size", "SATNet's step", 4, 9)
def _(n: int) -> Work:
    return step_of("satnet", Sudoku(size=n).problem.without_rules(), 8)


# Symbols


@row("symbols", "readings scored", 64, 128, 256, 512)
def _(n: int) -> Work:
    rng = np.random.default_rng(0)
    true, read = rng.integers(0, n, (2, 2000))
    completion, given = rng.random((200, 4, n)), rng.random((200, 4)) < 0.5
    solution = rng.integers(0, n, (200, 4))

    def work() -> object:
        confusion = confusion_matrix(true, read, n)
        return add_readings(score(completion, given, solution, given), confusion, confusion)

    return work


@row("symbols", "step without logic", 512, 1024, 2048, 4096)
def _(n: int) -> Work:
    return step_of("mlp", make_problem(("one", "other"), (n, n), []), 128)


@row("symbols", "SATNet's step", 128, 256, 512, 1024)
def _(n: int) -> Work:
    return step_of("satnet", make_problem(("one", "other"), (n, n), []), 64)


# Trials, seeds and workers


@row("trials", "run", 20, 40, 80, 160)
def _(n: int) -> Work:
    return lambda: [done(run_trial(tiny(seed))) for seed in range(n)]


@row("trials", "scheduled and kept, in cells", 4, 8, 16, 32)
def _(n: int) -> Work:
    return lambda: run_cells(range(8, 8 + n), 1)


@row("trials", "kept in a folder", 1000, 2000, 4000, 8000)
def _(n: int) -> Work:
    lines, file = [plain(each) for each in copies(n).trials], Path(tempfile.mkdtemp(dir=FOLDER)) / TRIALS
    return lambda: [append_line(file, line) for line in lines]


@row("trials", "read from a folder", 1000, 2000, 4000, 8000)
def _(n: int) -> Work:
    folder = written(copies(n))
    return lambda: read_experiment(folder)


@row("seeds", "scheduled and kept, in a cell", 3, 6, 12)
def _(n: int) -> Work:
    return lambda: run_cells([8], n)


@row("seeds", "pooled over four cells", 2000, 4000, 8000, 16_000)
def _(n: int) -> Work:
    results = cell_results(copies(4, seeds=n))
    return lambda: [pooled(results, figure) for figure in ("task", "raw", "aligned")]


@row("workers", "40 trials each, all processes", 1, 2, 4)
def _(n: int) -> Work:
    return lambda: with_workers(n)


# Checks and report rows


@row("checks", "run and accounted for", 4000, 8000, 16_000, 32_000)
def _(n: int) -> Work:
    registry: Registry[None] = Registry("made")
    for number in range(n):

        @registry.check(f"check-{number}", needs=[f"check-{number - 1}"] * (number > 0), decides=True)
        def _(_: None) -> Result:
            return passed("it is well")

    return lambda: account(list(registry.run(None, "made")), [f"made/check-{n}*"])


@row("checks", "drawn on a page", 8000, 16_000, 32_000, 64_000)
def _(n: int) -> Work:
    report = report_of(1)
    findings = [Finding(f"made/check-{number}", "fail", "it is not", "mend it") for number in range(n)]
    report = replace(report, tasks=[replace(report.tasks[0], findings=findings)])
    return lambda: render_report(report, None)


@row("report rows", "cells on an experiment's page", 250, 500, 1000, 2000)
def _(n: int) -> Work:
    record = copies(n)
    return lambda: render_experiment(record)


@row("report rows", "cells as one table of values", 200, 400, 800, 1600)
def _(n: int) -> Work:
    record = copies(n)
    return lambda: tidy(record).as_csv()


@row("report rows", "cells as reports", 1000, 2000, 4000, 8000)
def _(n: int) -> Work:
    record = copies(n)
    return lambda: experiment_reports(record)


@row("report rows", "tasks of a report compared", 500, 1000, 2000, 4000)
def _(n: int) -> Work:
    report = report_of(n)
    return lambda: compare([report, report])


@row("report rows", "tasks on a report's page", 4, 8, 16)
def _(n: int) -> Work:
    report = report_of(n)
    return lambda: render_report(report, None)


@row("report rows", "reports on a leaderboard", 1000, 2000, 4000, 8000)
def _(n: int) -> Work:
    report = report_of(1)
    found = [(Path(f"{number}.json"), report) for number in range(n)]
    return lambda: render_leaderboard(found, Path())


def done(outcome: Any) -> Any:
    """The outcome of a trial that did not break."""
    assert outcome.error is None, outcome.error
    return outcome


def tiny(seed: int) -> Trial:
    """The smallest trial that there is, as in benchmarks/scale.py."""
    return Trial(
        task=Mapping(),
        solver=SolverSpec("mlp"),
        role="reasoning",
        seed=seed,
        training=Training(puzzles=8, epochs=1, batch=8),
        validation_puzzles=8,
        test_puzzles=8,
    )


def step_of(name: str, problem: Any, batch: int) -> Work:
    """Steps of a solver: forward, its loss, and back to beliefs and parameters."""
    torch.manual_seed(0)
    solver = SOLVERS.load(name)(problem)
    size, symbols = len(problem.variables), problem.symbols
    given = torch.zeros(batch, size, dtype=torch.bool)
    given[:, : size // 2] = True
    beliefs = torch.rand(batch, size, symbols).softmax(-1).requires_grad_()
    answer = torch.where(given, -1, torch.randint(0, symbols, (batch, size)))

    def work() -> None:
        for _ in range(5):
            solver.loss(beliefs, given, answer).mean().backward()

    return work


def run_cells(puzzles: Sequence[int], seeds: int) -> Path:
    """Runs an experiment in this process: a cell for each number of puzzles, two trials for each seed."""
    text = f"""
    solvers = "mlp"
    tasks = "mapping"
    seeds = {seeds}
    roles = ["grounding", "ceiling"]
    [settings]
    epochs = 1
    puzzles = {list(puzzles)}
    """
    folder = Path(tempfile.mkdtemp(dir=FOLDER)) / "run"
    run_experiment(parse_experiment(text, "growth", "growth"), folder, engine=Processes(0))
    return folder


@cache
def small() -> ExperimentRecord:
    """Two cells that ran."""
    return read_experiment(run_cells([8, 16], 1))


def copies(cells: int, seeds: int = 1) -> ExperimentRecord:
    """Those two cells with their trials and reports over and over, each under settings of its own."""
    record = small()
    [axis] = [name for name, values in record.axes.items() if len(values) > 1]
    first, [of_first, *_] = record.cells[0], [row for row in record.trials if 0 in row.cells]
    trials = [row for row in record.trials if 0 in row.cells]
    made, rows, reports = [], [], {}
    for number in range(cells):
        made.append(replace(first, number=number, varied={**first.varied, axis: number}))
        own = [replace(each.outcome, seed=seed) for seed in range(seeds) for each in trials]
        rows += [replace(of_first, key=f"{number}-{n}", cells=[number], outcome=o) for n, o in enumerate(own)]
        reports[number] = replace(record.reports[0], outcomes=own)
    axes = {**record.axes, axis: list(range(cells))}
    return replace(record, cells=made, trials=rows, reports=reports, axes=axes)


def written(record: ExperimentRecord) -> Path:
    """The folder of an experiment of two cells, with the trials of this record."""
    folder = run_cells([8, 16], 1)
    rows = (plain(replace(each, cells=[each.cells[0] % 2])) for each in record.trials)
    (folder / TRIALS).write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return folder


def report_of(tasks: int) -> Report:
    """A report on so many tasks, each with the trials of a cell that ran."""
    [report, *_] = experiment_reports(copies(1))
    return replace(
        report,
        tasks=[replace(report.tasks[0], task=f"made-{n}", label=f"made-{n}") for n in range(tasks)],
    )


def with_workers(count: int) -> float:
    """Runs 40 trials for each worker; returns seconds of the processes that trained and scored."""
    trials = 40 * count
    with ExitStack() as stack:
        running: Any = stack.enter_context(Processes(count, isolate=False).open())
        for number in range(trials):
            running.submit(number, tiny(number))
        heard = 0
        while heard < trials:
            heard += len([done(outcome) for _, outcome in running.hear(10.0)])
        return running.processor_seconds


def seconds(work: Work) -> float:
    """Processor time of this process, and of others where the work says so.

    What was prepared is kept from the collector of garbage, whose passes over it come at any time.
    """
    gc.collect()
    gc.freeze()
    began = time.process_time()
    found = work()
    return time.process_time() - began + (found if isinstance(found, float) else 0.0)


def measured(one: Row, repeats: int, before: list[float] | None = None) -> list[float]:
    """The least seconds of each size, sizes in turn, so that a busy minute strikes all of them."""
    works = [one.prepare(size) for size in one.sizes]
    works[0]()  # compiles, imports, fills caches
    least = before or [math.inf] * len(works)
    for _ in range(repeats):
        least = [min(known, seconds(work)) for known, work in zip(least, works, strict=True)]
    return least


def exponents(sizes: tuple[int, ...], least: list[float]) -> Iterator[float]:
    """Between neighbours."""
    for n, more, took, takes in zip(sizes, sizes[1:], least, least[1:], strict=False):
        yield math.log(takes / took) / math.log(more / n)


def main() -> int:
    """Every axis that was asked for, a line per row; then what grows faster than 1.1, with the reason."""
    axes = list(dict.fromkeys(one.axis for one in ROWS))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("axes", nargs="*", metavar="AXIS", help=", ".join(axes))
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    if unknown := set(asked.axes) - set(axes):
        parser.error(f"no axis {', '.join(unknown)}: there are {', '.join(axes)}")
    over: list[str] = []
    stated: dict[str, str] = {}
    print(f"{'axis':12} {'what':32} {'n':>24} {'seconds of the most':>20}  exponents")
    for one in ROWS:
        if asked.axes and one.axis not in asked.axes:
            continue
        least = measured(one, asked.repeats)
        for _ in range(AGAIN):
            if max(exponents(one.sizes, least)) > one.bound:
                least = measured(one, 2 * asked.repeats, least)
        found = list(exponents(one.sizes, least))
        sizes = " ".join(map(str, one.sizes))
        print(
            f"{one.axis:12} {one.what:32} {sizes:>24} {least[-1]:20.3f}  "
            + " ".join(f"{exponent:5.2f}" for exponent in found)
            + ("  over" if max(found) > one.bound else ""),
            flush=True,
        )
        if max(found) > one.bound:
            over.append(f"{one.name}: {max(found):.2f}, and {one.bound:g} is its bound")
        elif max(found) > BOUND:
            stated[one.name] = f"up to {one.bound:g}: {REASONS[one.name][1]}"
    print("\nOver 1.1, for a reason:", *(f"  {name}, {why}" for name, why in stated.items()), sep="\n")
    print("\nOver their bound:", *(over or ["none"]), sep="\n  ")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
