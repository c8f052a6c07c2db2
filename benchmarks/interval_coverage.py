"""How often 95 % intervals of accuracies hold the truth, with the sizes of real test sets.

    python benchmarks/interval_coverage.py [--suites 2000]

Raw and aligned accuracy: every test image is read right with the probability at hand, 130 images (the four
digits of Sudoku among those bundled) or 10,000 (MNIST).

Task accuracy, of 300 puzzles: a puzzle shows so many of the images, and is answered where the solver gets
it right by itself and every image of it is read right. `image`: only misread images spoil puzzles; `half`:
half of the failures, by probability, are the solver's own; `puzzle`: all are.
"""

import argparse

import numpy as np
from jaxtyping import Float, Int

from groundcheck.grounding.measures.statistics import clustered_interval, wilson_interval

ACCURACIES = (0.5, 0.9, 0.97, 0.997)
PUZZLES = 300
DESIGNS = ((1, 130), (1, 360), (1, 10_000), (7, 130), (7, 4000))  # images of a puzzle, images to show
SHARES = {"image": 1.0, "half": 0.5, "puzzle": 0.0}  # of log accuracy that misread images bring down


def image_coverage(accuracy: float, images: int, suites: int, rng: np.random.Generator) -> float:
    """Share of test sets whose interval of raw or aligned accuracy holds the true one."""
    right = rng.binomial(images, accuracy, suites)
    ends = {k: wilson_interval(k, images) for k in set(right.tolist())}
    return float(np.mean([ends[k][0] <= accuracy <= ends[k][1] for k in right.tolist()]))


def draw_suite(
    accuracy: float, shows: int, images: int, share: float, rng: np.random.Generator
) -> tuple[Float[np.ndarray, " puzzles"], Int[np.ndarray, "puzzles places"]]:
    """Which puzzles of one test set are answered right, and the images that they show."""
    image = rng.integers(0, images, (PUZZLES, shows))
    readable = rng.random(images) < accuracy ** (share / shows)
    solved = rng.random(PUZZLES) < accuracy ** (1 - share)
    return (solved & readable[image].all(axis=1)).astype(np.float64), image


def task_coverage(
    accuracy: float, shows: int, images: int, share: float, suites: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Share of test sets whose interval of task accuracy holds the true one, and its mean half width."""
    held, width = 0, 0.0
    for _ in range(suites):
        hits, image = draw_suite(accuracy, shows, images, share, rng)
        low, high = clustered_interval(hits, np.ones(PUZZLES), image)
        held += low <= accuracy <= high
        width += (high - low) / 2
    return held / suites, width / suites


def main() -> None:
    """Simulates, prints Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--suites", type=int, default=2000)
    suites = parser.parse_args().suites
    rng = np.random.default_rng(0)
    print("| figure | images | of a puzzle | spoiled by |", *(f"{p} |" for p in ACCURACIES))
    print("|---|---|---|---|" + "---|" * len(ACCURACIES))
    for images in (130, 10_000):
        found = (f"{image_coverage(p, images, 50 * suites, rng):.3f} |" for p in ACCURACIES)
        print(f"| raw, aligned | {images:,} | | |", *found)
    for shows, images in DESIGNS:
        for name, share in SHARES.items():
            each = [task_coverage(p, shows, images, share, suites, rng) for p in ACCURACIES]
            cells = (f"{held:.3f} (±{width:.3f}) |" for held, width in each)
            print(f"| task | {images:,} | {shows} | {name} |", *cells, flush=True)


if __name__ == "__main__":
    main()
