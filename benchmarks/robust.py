"""Figures beyond the test set, solver by solver: a line of JSON as each ends, and the tables from them.

    python benchmarks/robust.py measure robust.jsonl --solvers exact --tasks sudoku --images digits --seeds 1
    python benchmarks/robust.py tables robust.jsonl

Measures what `groundcheck check SOLVER --task TASK --images IMAGES --robust` would of so many seeds, whatever
Wald's test says of them: the solver, and the network without logic beside it. What is there is not measured
again.
"""

import argparse
import json
from pathlib import Path
from statistics import fmean

import msgspec

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.image_source import ImageSource
from groundcheck.grounding.checks.beyond import check_beyond
from groundcheck.grounding.checks.robust import BeyondSeeds
from groundcheck.grounding.measures.abstention import judge_abstention
from groundcheck.grounding.report.robustness import markdown, verdicts
from groundcheck.grounding.results.files import plain
from groundcheck.grounding.trials.budget import budget_for
from groundcheck.grounding.trials.evaluation import Evaluation
from groundcheck.grounding.trials.run import run_trial
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.trial import Outcome, Role, Trial
from groundcheck.solvers.catalogue import SOLVERS


def measure(path: Path, asked: argparse.Namespace) -> None:
    """Runs what is not there yet."""
    known = {key for key, _ in read(path)}
    for task in asked.tasks:
        for images in asked.images:
            for solver in asked.solvers:
                for seed in range(asked.seeds):
                    roles: list[Role] = ["grounding"] if solver == "mlp" else ["grounding", "baseline"]
                    for role in roles:
                        key = (solver, task, images, role, seed)
                        if key in known:
                            continue
                        outcome = run(key, json.loads(asked.options), asked.wrong)
                        with path.open("a") as file:
                            file.write(json.dumps({"key": key, "outcome": plain(outcome)}) + "\n")
                        reached = outcome.scores.task if outcome.scores else outcome.error
                        print(*key, reached, flush=True)


def run(key: tuple[str, str, str, Role, int], options: dict[str, object], wrong: int) -> Outcome:
    """One trial, asked beyond its test set."""
    solver, task, images, role, seed = key
    chosen, spec = TASKS.load(task)(), SolverSpec(solver, options)
    return run_trial(
        Trial(
            task=chosen,
            solver=SolverSpec("mlp") if role == "baseline" else spec,
            role=role,
            seed=seed,
            training=budget_for(chosen),
            images=ImageSource(images),
            beside=spec if role == "baseline" else None,
            evaluation=Evaluation(robust=True, wrong=wrong),
        )
    )


def read(path: Path) -> list[tuple[tuple[str, str, str, str, int], Outcome]]:
    """What was measured."""
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [(tuple(line["key"]), msgspec.convert(line["outcome"], Outcome)) for line in lines]


def summary(groups: dict[tuple[str, str, str], list[Outcome]]) -> str:
    """A line per solver and task."""
    lines = [
        "| task | images | solver | test | ood | ROBUST | NOT ROBUST | UNDECIDED | wrong givens: answered "
        "(exact) | test puzzles | corrupted |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (solver, task, images), outcomes in groups.items():
        own = [o for o in outcomes if o.role == "grounding"]
        asked = [(o.scores, o.beyond) for o in own if o.scores is not None and o.beyond is not None]
        suites = [found.verdict for found in verdicts(outcomes)]
        wrong = [b.correction for _, b in asked if b.correction is not None]
        if not asked:
            continue
        elsewhere = [b.ood.task for _, b in asked if b.ood is not None]
        ceiling = fmean(w.exact.get("answered", 0.0) for w in wrong) if wrong else 0.0
        told = [
            f"{fmean(s.task for s, _ in asked):.2f}",
            f"{fmean(elsewhere):.2f}" if elsewhere else "–",
            *(str(suites.count(verdict)) for verdict in ("ROBUST", "NOT ROBUST", "UNDECIDED")),
            f"{fmean(w.answered for w in wrong):.2f} ({ceiling:.2f})" if wrong else "–",
            judge_abstention([b.clean for _, b in asked if b.clean is not None]).verdict,
            judge_abstention([b.corrupted for _, b in asked if b.corrupted is not None]).verdict,
        ]  # fmt: skip
        lines.append(f"| {task} | {images} | `{solver}` | {' | '.join(told)} |")
    return "\n".join(lines)


def tables(path: Path) -> None:
    """Markdown, as docs/robustness.md has it: a summary, then solver by solver."""
    groups: dict[tuple[str, str, str], list[Outcome]] = {}
    for (solver, task, images, _, _), outcome in read(path):
        groups.setdefault((solver, task, images), []).append(outcome)
    print(summary(groups))
    for (solver, task, images), outcomes in groups.items():
        print(f"\n### {solver}, {task}, {images}\n\n{markdown(outcomes)}")
        for found in check_beyond(BeyondSeeds(outcomes), task):
            if found.status != "skip" and (found.family != "robust" or found.check == "robust/copies"):
                print(f"- `{found.check}` {found.status}: {found.reason}.")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["measure", "tables"])
    parser.add_argument("path", type=Path)
    parser.add_argument("--solvers", nargs="+", default=list(SOLVERS.ours))
    parser.add_argument("--tasks", nargs="+", default=["sudoku", "addition"])
    parser.add_argument("--images", nargs="+", default=["digits", "mnist"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--wrong", type=int, default=1)
    parser.add_argument("--options", default="{}", help="of the solver, as JSON")
    asked = parser.parse_args()
    tables(asked.path) if asked.what == "tables" else measure(asked.path, asked)


if __name__ == "__main__":
    main()
