"""Every solver on the tasks that tell solvers apart: the matrix of docs/results.md.

    python benchmarks/matrix.py matrix.jsonl [--images digits mnist] [--tasks …] [--solvers …]
                                [--workers 1] [--limit 300] [--table]

Seeds are 0, 1, … until the suite's sequential test decides, and the verdict is the suite's own, from the
same trials with the default budgets, the leak checks, and the count of relabellings: what `groundcheck
check` says. Without logic and on true symbols nothing is trained here, as no verdict rests on it. The
ceiling of a seed is trained once for all solvers: it trains perception alone, at its own rate. Each trial
is a process, ended after `--limit` seconds. Trials that ended are appended to the file, one line of JSON
each, and not run again; `--table` prints what the file has; in brackets the verdicts of the seeds that ran,
where they do not decide; s is the quickest trial. A line is known by its task, solver, options, budget and
seed: after a change to a solver, take its lines out.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import fmean

sys.path.remove(str(Path(__file__).parent))  # satnet.py beside this file would pass for the public package

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.image_source import ImageSource
from groundcheck.grounding.checks.leak import check_leaks
from groundcheck.grounding.engines.children import Limits, run_trials
from groundcheck.grounding.results.files import plain
from groundcheck.grounding.results.records import decode_record
from groundcheck.grounding.results.run_directory import key_of
from groundcheck.grounding.suite.budget import MAX_SEEDS
from groundcheck.grounding.suite.suite import Suite, TaskRun, identify
from groundcheck.grounding.trials.budget import budget_for
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.trial import Outcome, Trial
from groundcheck.grounding.verdict import bars, seed_verdict
from groundcheck.solvers.catalogue import SOLVERS

MATRIX = {"digits": ("addition", "half", "evenodd", "mapping", "sudoku"), "mnist": ("mapping", "sudoku")}


@dataclass
class Cell:
    """A solver on a task, with images: a suite of one task."""

    suite: Suite
    lacking: str = ""  # why it cannot run here

    @property
    def run(self) -> TaskRun:
        """What has come of it so far."""
        return self.suite.runs[0]

    @property
    def seconds(self) -> float:
        """What a trial of it took, mean; 0 before the first."""
        return fmean([o.seconds for o in self.run.of("grounding")] or [0.0])

    def missing(self, known: dict[str, Outcome]) -> list[Trial]:
        """Trials that its next seeds need and nobody ran yet; seeds that were run are taken over."""
        while not self.lacking and (wave := self.suite.wave()):
            seeds: dict[int, list[Trial]] = {}
            for _, trial in wave:
                seeds.setdefault(trial.seed, []).append(shared(trial))
            for trials in seeds.values():
                if any(key_of(trial) not in known for trial in trials):
                    return [trial for each in seeds.values() for trial in each if key_of(trial) not in known]
                self.run.outcomes.extend(known[key_of(trial)] for trial in trials)
        return []


def shared(trial: Trial) -> Trial:
    """The trial; a ceiling without the solver that it was asked for, which it does not train."""
    return replace(trial, solver=SolverSpec("none")) if trial.role == "ceiling" else trial


@dataclass
class Ledger:
    """The file of trials."""

    path: Path
    known: dict[str, Outcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                self.known[json.loads(line)["key"]] = decode_record(line.encode(), Outcome)

    def keep(self, trial: Trial, outcome: Outcome) -> None:
        """Appends a trial that ended; sample boards are left out."""
        if outcome.scores is not None:
            outcome = replace(outcome, scores=replace(outcome.scores, boards=[]))
        self.known[key_of(trial)] = outcome
        with self.path.open("a") as file:
            print(json.dumps({"key": key_of(trial), **plain(outcome)}), file=file, flush=True)


def cells(asked: argparse.Namespace) -> Iterator[Cell]:
    """Every cell that was asked for; the count of relabellings is shared by all solvers of a task."""
    for images in asked.images:
        for task in (TASKS.load(name)() for name in MATRIX[images] if name in asked.tasks):
            blank = TaskRun(task, budget_for(task))
            identify(blank, [0])
            for name in asked.solvers:
                spec = SolverSpec(name)
                run = replace(blank, findings=[], outcomes=[])
                given = getattr(spec.load(), "rules", "learned") == "given"
                suite = Suite(
                    spec, given, [run], MAX_SEEDS, ImageSource(images), roles=("grounding", "ceiling")
                )
                lacking = [
                    extra.message for extra in getattr(spec.load(), "extras", ()) if not extra.installed
                ]
                yield Cell(suite, "; ".join(lacking))


def _keep(ledger: Ledger, batch: list[Trial], index: int, outcome: Outcome) -> None:
    ledger.keep(batch[index], outcome)


def fill(every: list[Cell], ledger: Ledger, workers: int, limits: Limits) -> None:
    """Runs trials until all cells are decided: early seeds first, and of those the quickest cells."""
    wanted = {position: cell.missing(ledger.known) for position, cell in enumerate(every)}
    while any(wanted.values()):
        ordered = sorted(
            (trial.seed, every[position].seconds, position, number)
            for position, trials in wanted.items()
            for number, trial in enumerate(trials)
        )
        chosen = {key_of(trial): trial for _, _, p, n in ordered if (trial := wanted[p][n])}
        batch = list(chosen.values())[:workers]
        print(
            f"{len(chosen)} to do: {', '.join(f'{t.images.name} {t.label}' for t in batch)}", file=sys.stderr
        )
        run_trials(batch, workers, partial(_keep, ledger, batch), limits)
        ended = {key_of(trial) for trial in batch}
        for position, trials in wanted.items():
            if any(key_of(trial) in ended for trial in trials):
                wanted[position] = every[position].missing(ledger.known)


def row(cell: Cell, limits: Limits) -> str:
    """A line of the table."""
    start = f"| {cell.run.task.name} | {cell.suite.spec.name} |"
    if cell.lacking:
        return f"{start} SKIPPED: {cell.lacking} | | | | | |"
    pictures = cell.suite.images.load()
    cell.run.findings.extend(check_leaks(cell.suite.spec, cell.run.task, pictures, cell.run.training))
    report = cell.suite.report(cell.run)
    judged, subject = report.judgement, cell.run.of("grounding")
    cut = sum("time limit" in (outcome.error or "") for outcome in subject)
    verdict: str = judged.verdict
    if judged.verdict == "INCONCLUSIVE" and subject:
        verdict += f" ({', '.join(f'{n} {each}' for each, n in Counter(verdicts(cell)).items())})"
    if cut:
        verdict += f", {cut} of {len(subject)} cut at {limits.seconds:g} s"
    figures = " | ".join(told(report.mean("grounding", figure)) for figure in ("task", "raw", "aligned"))
    seeds = f"{judged.grounded} of {judged.seeds}"
    return f"{start} {verdict} | {figures} | {seeds} | {quickest(subject)} |"


def verdicts(cell: Cell) -> list[str]:
    """The verdict of each seed, where they do not decide."""
    known = {seed: found.possible for seed, found in cell.run.identified.items() if found.complete}
    return [
        seed_verdict(
            outcome,
            bars(ceiling),
            rules_given=cell.suite.rules_given,
            possible=known.get(outcome.seed),
        )
        for outcome, ceiling in zip(cell.run.of("grounding"), cell.run.of("ceiling"), strict=True)
    ]


def ceiling(cells: list[Cell]) -> str:
    """What the same perception reaches with labels, on the most seeds that a solver of this task needed."""
    ran = max((cell.run.of("ceiling") for cell in cells), key=len)
    scores = [outcome.scores for outcome in ran if outcome.scores is not None]
    each = [(s.read, s.raw or 0, s.aligned or 0) for s in scores]
    figures = [fmean(values) for values in zip(*each, strict=True)] or [None] * 3
    reached = " | ".join(map(told, figures))
    return f"| {cells[0].run.task.name} | *ceiling* | | {reached} | n = {len(scores)} | {quickest(ran)} |"


def quickest(outcomes: list[Outcome]) -> str:
    """Seconds of the trial that other work on the machine held up least."""
    return f"{min(outcome.seconds for outcome in outcomes):.0f}" if outcomes else "–"


def told(figure: float | None) -> str:
    """Three digits, or that there is none."""
    return "–" if figure is None else f"{figure:.3f}"


def table(every: list[Cell], limits: Limits) -> None:
    """Prints Markdown: one table per image set, and what the training puzzles of each task leave open."""
    for images in dict.fromkeys(cell.suite.images.name for cell in every):
        mine = [cell for cell in every if cell.suite.images.name == images]
        print(f"\n{images}\n\n| task | solver | verdict | task acc. | raw | aligned | grounded | s |")
        print("|---|---|---|---|---|---|---|---|")
        for task in dict.fromkeys(cell.run.task.name for cell in mine):
            cells = [cell for cell in mine if cell.run.task.name == task]
            print(ceiling(cells))
            for cell in cells:
                print(row(cell, limits), flush=True)
        for name, found in {cell.run.task.name: cell.run.identified for cell in mine}.items():
            print(f"\n{name}, seed 0: {found[0].sentence if found else 'not counted'}")


def main() -> None:
    """Fills the matrix, then prints it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trials", type=Path, help="the file of trials, one line of JSON each")
    parser.add_argument("--images", nargs="+", default=list(MATRIX), choices=list(MATRIX))
    parser.add_argument("--tasks", nargs="+", default=list(MATRIX["digits"]), choices=MATRIX["digits"])
    parser.add_argument("--solvers", nargs="+", default=list(SOLVERS.ours))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--limit", type=float, default=300.0, help="seconds of a trial")
    parser.add_argument("--table", action="store_true", help="run nothing, print what there is")
    asked = parser.parse_args()
    ledger, limits = Ledger(asked.trials), Limits(seconds=asked.limit)
    every = list(cells(asked))
    if asked.table:
        for cell in every:
            cell.missing(ledger.known)
    else:
        fill(every, ledger, max(1, asked.workers), limits)
    table(every, limits)


if __name__ == "__main__":
    main()
