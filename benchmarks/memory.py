"""Peak memory of what is large: a 9×9 trial, and counting relabellings of 100,000 9×9 boards.

    python benchmarks/memory.py [trial] [relabellings] [--puzzles N] [--boards N]

Each is run in a fresh process, whose peak is what the operating system saw of it; beside it stands what was
there before (imports, images, boards), and a digest of everything that came out, so that two states of the
code can be held against each other. Two numbers of boards and of test puzzles show what grows with them.
"""

import argparse
import gc
import hashlib
import subprocess
import sys
from pathlib import Path

from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding import SolverSpec, Trial, run_trial
from groundcheck.grounding.measures.identifiability import count_relabellings
from groundcheck.grounding.trials.training import Training


def memory(entry: str) -> float:
    """MiB of this process, now (VmRSS) or at most so far (VmHWM); Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(entry))


def trial(puzzles: int) -> tuple[float, str]:
    """One epoch of 200 boards on MNIST, scored on so many: MiB before, and what was scored."""
    images = ImageSource("mnist")
    images.load()
    gc.collect()
    before = memory("VmRSS")
    outcome = run_trial(
        Trial(
            task=Sudoku(size=9),
            solver=SolverSpec.of("conditional"),
            role="grounding",
            seed=0,
            training=Training(puzzles=200, epochs=1, batch=32),
            images=images,
            test_puzzles=puzzles,
        )
    )
    assert outcome.error is None, outcome.error
    return before, repr((outcome.curve, outcome.scores, outcome.interventions))


def relabellings(boards: int) -> tuple[float, str]:
    """Counts the relabellings of so many boards: MiB before, and what was found."""
    task = Sudoku(size=9)
    puzzles = task.generate("train", boards, 0)
    gc.collect()
    before = memory("VmRSS")
    found = count_relabellings(task, puzzles)
    return before, f"{found.count} {found.possible.tolist()} {found.examples} {found.refinements}"


CASES = {"trial": trial, "relabellings": relabellings}


def main() -> None:
    """Each case and size in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", default=[*CASES], metavar="CASE")
    parser.add_argument("--puzzles", type=int, nargs="+", default=[100, 300])
    parser.add_argument("--boards", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child is not None:
        before, found = CASES[asked.cases[0]](asked.child)
        digest = hashlib.sha256(found.encode()).hexdigest()[:12]
        print(f"{asked.cases[0]:13}{asked.child:9,}{before:12.0f}{memory('VmHWM'):11.0f}  {digest}")
        return
    print("case             puzzles  before MiB   peak MiB  outcome")
    for case in asked.cases:
        for size in asked.puzzles if case == "trial" else asked.boards:
            command = [sys.executable, "-P", __file__, case, "--child", str(size)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            print(done.stdout, end="", flush=True)


if __name__ == "__main__":
    main()
