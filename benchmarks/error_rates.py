"""How often a suite comes to the wrong verdict: its sequential test alone, and the verdict as a whole.

    python benchmarks/error_rates.py [--suites 10000] [--seeds 12] [--verdicts 1000]

First, suites whose seeds each ground with probability p, stopped as `check` stops them. At p0 = 0.5 and
below, accepting is wrong (promised: alpha); at p1 = 0.9 and above, rejecting is (promised: beta). Wald's
bounds on a test that overshoots are alpha / (1 - beta) and beta / (1 - alpha). In between nothing is
promised.

Then the whole verdict, with the sizes of real test sets: the ceiling reads an image right with a probability
of its own, and the solver, where the ceiling does, so often that it answers the share at hand of what the
ceiling makes possible: a puzzle is answered where every image of it is read right. All else (bars, intervals,
verdict of a seed, sequential test) is what `check` does. `by figure` is the rule without intervals: figures
have to reach their bars.
"""

import argparse
from dataclasses import replace

import numpy as np

from groundcheck.grounding.measures.metrics import Scores
from groundcheck.grounding.measures.statistics import (
    SequentialTest,
    clustered_interval,
    measure_error_rates,
    wilson_interval,
)
from groundcheck.grounding.trials.trial import Outcome
from groundcheck.grounding.verdict import judge

RATES = (0.3, 0.5, 0.7, 0.9, 0.97)
RELATIVE = (0.85, 0.9, 0.92, 0.95, 0.97, 1.0)  # task accuracy, to the best possible
PUZZLES = 300
# Images of a puzzle, symbols, test images, and how many of them the ceiling reads right.
DESIGNS = {
    "mapping, digits": (1, 10, 360, 0.963),
    "mapping, MNIST": (1, 10, 10_000, 0.961),
    "Sudoku 4×4, digits": (7, 4, 127, 0.992),
    "Sudoku 4×4, MNIST": (7, 4, 4000, 0.995),
}


def read_set(right: np.ndarray, image: np.ndarray, symbols: int) -> Scores:
    """The scores of a network that reads these images right."""
    solved = right[image].all(axis=1)
    task, aligned = float(solved.mean()), float(right.mean())
    ends = wilson_interval(int(right.sum()), len(right))
    return Scores(
        task, task, task, 0.0, task, PUZZLES, raw=aligned, aligned=aligned, images=len(right),
        intervals={
            "task": clustered_interval(solved.astype(np.float64), np.ones(PUZZLES), image),
            "raw": ends,
            "aligned": ends,
        },
        guessed_task=1 / symbols if image.shape[1] == 1 else 0.0,
        guessed_read=symbols ** -float(image.shape[1]),
        guessed_aligned=1 / symbols,
    )  # fmt: skip


def draw_seed(
    design: tuple[int, int, int, float], relative: float, rng: np.random.Generator
) -> tuple[Outcome, Outcome]:
    """The solver and the ceiling on one seed."""
    shows, symbols, images, ceiling = design
    image = rng.integers(0, images, (PUZZLES, shows))
    readable = rng.random(images) < ceiling
    read = readable & (rng.random(images) < relative ** (1 / shows))
    return (
        Outcome("grounding", "", "", 0, read_set(read, image, symbols)),
        Outcome("ceiling", "", "", 0, read_set(readable, image, symbols)),
    )


def bare(outcome: Outcome) -> Outcome:
    """The outcome without its intervals."""
    return replace(outcome, scores=outcome.scores and replace(outcome.scores, intervals={}))


def whole_verdicts(
    design: tuple[int, int, int, float], relative: float, seeds: int, rng: np.random.Generator
) -> tuple[str, str]:
    """The verdict of a suite that stops as soon as it is decided, by interval and by figure alone."""
    test = SequentialTest()
    outcomes: list[Outcome] = []
    ceilings: list[Outcome] = []
    within = figure = judge([], [], test, rules_given=True)
    while len(outcomes) < seeds and not (within.decided and figure.decided):
        outcome, ceiling = draw_seed(design, relative, rng)
        outcomes.append(outcome)
        ceilings.append(ceiling)
        if not within.decided:
            within = judge(outcomes, ceilings, test, rules_given=True)
        if not figure.decided:
            figure = judge([bare(o) for o in outcomes], ceilings, test, rules_given=True)
    return within.verdict, figure.verdict


def characteristic(design: tuple[int, int, int, float], relative: float, suites: int, seeds: int) -> str:
    """Shares of GROUNDED and of other decisions, by interval and by figure."""
    rng = np.random.default_rng(0)
    found = [whole_verdicts(design, relative, seeds, rng) for _ in range(suites)]
    cells: list[str] = []
    for verdicts in zip(*found, strict=True):
        good = sum(verdict == "GROUNDED" for verdict in verdicts)
        bad = sum(verdict not in ("GROUNDED", "INCONCLUSIVE") for verdict in verdicts)
        cells.append(f"{good / suites:.3f} / {bad / suites:.3f}")
    return " | ".join(cells)


def print_sequential(suites: int, seeds: int) -> None:
    """The sequential test alone."""
    test = SequentialTest()
    bounds = {"accepted": test.alpha / (1 - test.beta), "rejected": test.beta / (1 - test.alpha)}
    print(f"{suites} suites, at most {seeds} seeds, {test}")
    for rate in RATES:
        found = measure_error_rates(test, rate, suites=suites, most=seeds)
        told = (
            f"p = {rate}: accepted {found.accepted:.4f}, rejected {found.rejected:.4f}, undecided "
            f"{found.undecided:.4f}, {found.seeds:.2f} seeds on average"
        )
        wrong = "accepted" if rate <= test.p0 else "rejected" if rate >= test.p1 else ""
        if wrong:
            share = getattr(found, wrong)
            low, high = wilson_interval(round(share * suites), suites)
            told += f"; wrong {share:.4f} (95 % {low:.4f} to {high:.4f}), promised {bounds[wrong]:.4f}"
        print(told)


def main() -> None:
    """Simulates, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--suites", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=12, help="at most so many run")
    parser.add_argument("--verdicts", type=int, default=1000, help="suites per line of the whole verdict")
    options = parser.parse_args()
    print_sequential(options.suites, options.seeds)
    print("\n| test set | of the best possible | GROUNDED / failed | by figure alone |\n|---|---|---|---|")
    for name, design in DESIGNS.items():
        for relative in RELATIVE:
            shares = characteristic(design, relative, options.verdicts, options.seeds)
            print(f"| {name} | {relative} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
