"""What a leak does: the readings of perception and the boards that are answered, epoch by epoch, drawn.

    python benchmarks/two_stages.py [--seed N] [--epochs N] [--images SET] [-o PICTURE.svg] [--csv ROWS.csv]

Trains SATNet on 4×4 Sudoku with the labels of the givens in its loss and without, at the default budget.
"""

import argparse
import csv
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding import SolverSpec, Trial, run_trial
from groundcheck.grounding.trials.budget import budget_for
from groundcheck.grounding.trials.trial import Point

DRAWN = (
    ("raw", "images read right", "#2a6fb0", "-"),
    ("aligned", "images, after relabelling", "#2a6fb0", ":"),
    ("task", "boards answered", "#b0402a", "-"),
)


def curve(supervision: str, asked: argparse.Namespace) -> list[Point]:
    """Of one trial, on validation boards."""
    task = Sudoku(supervision=supervision)
    trial = Trial(
        task=task, solver=SolverSpec.of("satnet"), role="grounding", seed=asked.seed,
        training=budget_for(task, asked.epochs), images=ImageSource.of(asked.images),
    )  # fmt: skip
    outcome = run_trial(trial)
    if outcome.error:
        raise SystemExit(outcome.error)
    scores = outcome.scores
    print(
        f"{supervision}: {outcome.seconds:.0f} s; of the test boards {scores and scores.task}, of the images "
        f"{scores and scores.raw} raw, {scores and scores.aligned} aligned"
    )
    return outcome.curve


def main() -> None:
    """Trains both, prints, draws, and writes rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--images", default="digits")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--csv", type=Path)
    asked = parser.parse_args()
    curves = {supervision: curve(supervision, asked) for supervision in ("leaky", "masked")}
    if asked.csv:
        with asked.csv.open("w", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["supervision", "seed", "epoch", "task", "raw", "aligned", "loss"])
            for supervision, points in curves.items():
                for p in points:
                    rows.writerow(
                        [supervision, asked.seed, p.epoch, *map(told, (p.task, p.raw, p.aligned, p.loss))]
                    )
    if asked.output:
        draw(curves).savefig(asked.output, metadata={"Date": None})


def told(figure: float | None) -> str:
    """To four places; empty where there is none."""
    return "" if figure is None else f"{figure:.4f}"


def draw(curves: dict[str, list[Point]]) -> plt.Figure:
    """A panel per supervision."""
    plt.rcParams["svg.hashsalt"] = "groundcheck"
    figure, panels = plt.subplots(1, len(curves), figsize=(8, 2.8), sharey=True, layout="constrained")
    titles = {"leaky": "labels of the givens in the loss", "masked": "answers only"}
    for axes, (supervision, points) in zip(panels, curves.items(), strict=True):
        for name, label, colour, style in DRAWN:
            values = [getattr(p, name) for p in points]
            axes.plot([p.epoch for p in points], values, color=colour, linestyle=style, label=label)
        axes.set(title=titles[supervision], xlabel="epoch", ylim=(-0.02, 1.02))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.2)
    panels[0].set_ylabel("share of the validation set")
    panels[0].legend(loc="lower right", fontsize="small")
    return figure


if __name__ == "__main__":
    main()
