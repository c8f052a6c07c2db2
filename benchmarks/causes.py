"""The confusion matrix of causes: what solvers built to fail are named, and those that only look like it.

    python benchmarks/causes.py [--only NAME …] [--show]

Checks every control of tests/controls/causes.py on its seeds, in this process, and diagnoses it. Rows are
what a control was built to show, columns the cause that was named first. Exits with 1 below 0.9 on the
diagonal.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "controls"))

import causes as controls  # noqa: E402
from rich.console import Console  # noqa: E402

from groundcheck.grounding import print_diagnosis  # noqa: E402
from groundcheck.grounding.diagnosis.causes import CAUSES  # noqa: E402

NOTHING = "nothing"
BAR = 0.9


def main() -> int:
    """Prints a line per control and the matrix."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="names of controls")
    parser.add_argument("--show", action="store_true", help="print each diagnosis whole")
    asked = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    for control in controls.CONTROLS:
        if asked.only and not any(name in control.name for name in asked.only):
            continue
        found = controls.diagnosed(control)
        first = next((e.cause for e in found.explanations), "") or NOTHING
        built = control.cause or NOTHING
        counts[built, first] += 1
        like = f", looks like {control.like}" if control.like else ""
        others = ", ".join(f"{e.cause} {e.strength:.2f}" for e in found.explanations) or NOTHING
        mark = "ok " if first == built else "NOT"
        print(f"{mark} {control.name}: built to show {built}{like}; named {others}")
        if asked.show:
            print_diagnosis(found, Console(width=110))
        sys.stdout.flush()
    print_matrix(counts)
    right = sum(count for (built, first), count in counts.items() if built == first)
    share = right / counts.total()
    print(f"on the diagonal: {right} of {counts.total()} ({share:.2f})")
    return int(share < BAR)


def print_matrix(counts: Counter[tuple[str, str]]) -> None:
    """Rows: built to show; columns: named first, by number."""
    names = [*(cause.name for cause in CAUSES), NOTHING]
    width = max(map(len, names)) + 4
    print("\n" + " " * width + "".join(f"{number:4d}" for number in range(1, len(names) + 1)))
    for number, built in enumerate(names, 1):
        row = [counts[built, first] for first in names]
        cells = "".join(f"{count or '·':>4}" for count in row)
        print(f"{number:2d} {built:<{width - 3}}{cells}")


if __name__ == "__main__":
    sys.exit(main())
