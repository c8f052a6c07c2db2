"""How fast puzzles are made, proved unique, stored, and turned into batches; ratios within one run.

    python benchmarks/generators.py [IMAGES]        all but the others: a few minutes, one thread
    python benchmarks/generators.py million         1,000,000 9×9 puzzles to disk and back
    python benchmarks/generators.py puzzles FILE    a list of 9×9 puzzles, 81 digits or dots a line
    python benchmarks/generators.py tdoku SOURCE [FILE ...]    the search against tdoku, list by list

SOURCE is a checkout of https://github.com/t-dillon/tdoku, which is built with the C++ compiler in $CXX, or
the first of c++, g++, clang++, for this processor. Both count to two solutions of every puzzle; every count
and every single solution is compared.

Competing ways run in turns, in the processor time of their thread, which other processes on the machine
hardly touch; a ratio is the median of the turns' ratios. Needs the extra `benchmark` (py-sudoku).
"""

import ctypes
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import sudoku as py_sudoku
import torch
from pysat.solvers import Solver as SatSolver

from groundcheck.datasets.batch import assemble
from groundcheck.datasets.certify import certify
from groundcheck.datasets.grids import lines_of
from groundcheck.datasets.images import load_images
from groundcheck.datasets.problem import Problem
from groundcheck.datasets.search.grids import solve_grids
from groundcheck.datasets.storage import generate_set, load_set
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding.perception.lenet import LeNet

SAT = "cadical153"  # the fastest of python-sat's on these puzzles, by a little
LINES = lines_of(9, (3, 3))
SEVENTEEN = Path(__file__).parent.parent / "tests" / "datasets" / "search" / "seventeen.txt"


def pairwise(problem: Problem) -> list[list[int]]:
    """The rules with "exactly one symbol per cell" pairwise: faster for python-sat than with auxiliaries."""
    assert problem.rules is not None
    clauses = [c for c in problem.rules.clauses if max(map(abs, c)) <= problem.indicators]
    for cell in range(81):
        clauses.append([problem.literal(cell, symbol) for symbol in range(9)])
        clauses += [
            [-problem.literal(cell, one), -problem.literal(cell, other)]
            for one, other in itertools.combinations(range(9), 2)
        ]
    return clauses


PROBLEM = Sudoku(size=9).problem
RULES = pairwise(PROBLEM)


@dataclass(frozen=True)
class Rate:
    """Results per second of one way, and how many times faster the first way was; medians over the turns."""

    per_second: float
    slower: float


def rates(ways: dict[str, Callable[[], int]], turns: int = 9) -> dict[str, Rate]:
    """Measures ways in turns; a way returns how many it made."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()  # compiled, cached and warm
    for _ in range(turns):
        for name, way in ways.items():
            begun = time.thread_time()
            made = way()
            found[name].append(made / (time.thread_time() - begun))
    base = next(iter(found.values()))
    return {name: Rate(statistics.median(own), over(base, own)) for name, own in found.items()}


def over(one: list[float], other: list[float]) -> float:
    """Median of the turns' ratios."""
    return statistics.median(a / b for a, b in zip(one, other, strict=True))


def table(title: str, found: dict[str, Rate]) -> None:
    """Prints rates and how many times faster the first is."""
    print(f"\n{title}")
    for name, rate in found.items():
        print(f"  {name:<48} {rate.per_second:>12,.1f} /s   {rate.slower:>8.1f}×", flush=True)


def unique_by(solver: SatSolver, clues: np.ndarray, switch: int, propagate: bool = False) -> bool:
    """Solves, and proves that no other solution differs, with one more clause behind a switch.

    With `propagate` that is left out where unit propagation alone forces every cell.
    """
    held = PROBLEM.assumptions(clues.tolist())
    if propagate:
        _, implied = solver.propagate(assumptions=held)
        if sum(0 < literal <= 729 for literal in implied) == 81:
            return True
    if not solver.solve(assumptions=held):
        return False
    solution = [literal for literal in (solver.get_model() or [])[:729] if literal > 0]
    solver.add_clause([-switch, *(-literal for literal in solution)])
    unique = not solver.solve(assumptions=[*held, switch])
    solver.add_clause([-switch])
    return unique


def solving(givens: int) -> None:
    """Solve and prove unique: the compiled search, python-sat incrementally, python-sat afresh."""
    puzzles = Sudoku(size=9, givens=givens).generate("test", 4000, 0)
    clues = np.where(puzzles.given, puzzles.solution, -1).astype(np.int8)
    solvers = [SatSolver(name=SAT, bootstrap_with=RULES) for _ in range(2)]
    switches = itertools.count(PROBLEM.indicators + 1)

    def compiled() -> int:
        solutions, found = np.empty_like(clues), np.empty(len(clues), dtype=np.int64)
        solve_grids(clues, LINES, 9, 2, solutions, found)
        assert (found == 1).all()
        assert np.array_equal(solutions, puzzles.solution)
        return len(clues)

    def once_for_all(propagate: bool) -> int:
        solver = solvers[propagate]
        assert all(unique_by(solver, row, next(switches), propagate) for row in clues[:300])
        return 300

    def afresh(propagate: bool) -> int:
        for row in clues[:15]:
            with SatSolver(name=SAT, bootstrap_with=RULES) as solver:
                assert unique_by(solver, row, PROBLEM.indicators + 1, propagate)
        return 15

    found = rates(
        {
            "compiled search": compiled,
            "python-sat, one solver, propagation first": lambda: once_for_all(True),
            "python-sat, one solver, assumptions": lambda: once_for_all(False),
            "python-sat, fresh solvers, propagation first": lambda: afresh(True),
            "python-sat, fresh solvers, assumptions": lambda: afresh(False),
        }
    )
    table(f"9×9 solved and proved unique, {givens} givens", found)
    slower = [rate.slower for rate in found.values()]
    print(
        f"  one solver against fresh ones: {slower[3] / slower[1]:.1f}× propagating first, "
        f"{slower[4] / slower[2]:.1f}× with assumptions alone"
    )


def generating() -> None:
    """Unique puzzles with 36 givens: ours, by python-sat, and those of py-sudoku's that are unique."""
    task = Sudoku(size=9, givens=36)
    rng = np.random.default_rng(0)
    incremental = SatSolver(name=SAT, bootstrap_with=RULES)
    seeds = itertools.count()
    share: list[float] = []

    def compiled() -> int:
        return len(task.generate("train", 2000, next(seeds)))

    def by_sat() -> int:
        for _ in range(5):
            first = [PROBLEM.literal(cell, int(symbol)) for cell, symbol in enumerate(rng.permutation(9))]
            incremental.set_phases((rng.choice((-1, 1), 729) * np.arange(1, 730)).tolist())
            assert incremental.solve(assumptions=first)
            solution = PROBLEM.decode(incremental.get_model() or [])
            puzzle, left = solution.copy(), 81
            for cell in rng.permutation(81):
                puzzle[cell] = -1
                held = PROBLEM.assumptions(puzzle.tolist())
                other = incremental.solve(assumptions=[*held, -PROBLEM.literal(cell, int(solution[cell]))])
                if other:
                    puzzle[cell] = solution[cell]
                else:
                    left -= 1
                if left == 36:
                    break
            assert left == 36
        return 5

    def by_py_sudoku() -> int:
        boards = [
            py_sudoku.Sudoku(3, seed=int(rng.integers(2**31))).difficulty(45 / 81).board for _ in range(25)
        ]
        clues = np.array([[(cell or 0) - 1 for row in board for cell in row] for board in boards], np.int8)
        assert ((clues >= 0).sum(axis=1) == 36).all()
        found = np.empty(len(clues), dtype=np.int64)
        solve_grids(clues, LINES, 9, 2, np.empty_like(clues), found)
        share.append(float((found == 1).mean()))
        return int((found == 1).sum())

    ways = {"compiled": compiled, "python-sat, one solver, assumptions": by_sat, "py-sudoku": by_py_sudoku}
    table("unique 9×9 puzzles with 36 givens generated", rates(ways))
    print(f"  of py-sudoku's puzzles {statistics.mean(share):.0%} are unique ({25 * len(share)} puzzles)")


def read_list(path: Path) -> np.ndarray:
    """A list of puzzles, one a line, given as digits with 0 or a dot where open; other lines are left out."""
    lines = [line[:81].replace(".", "0") for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if len(line) == 81 and line.isdecimal()]
    if not lines:
        sys.exit(f"{path} holds no puzzle: one a line, 81 digits or dots")
    return np.array([[int(digit) - 1 for digit in line] for line in lines], dtype=np.int8)


def listed(path: Path) -> None:
    """Solves a list, and says how many of its puzzles have one solution."""
    clues = read_list(path)
    found, solutions = np.empty(len(clues), dtype=np.int64), np.empty_like(clues)

    def compiled() -> int:
        solve_grids(clues, LINES, 9, 2, solutions, found)
        return len(clues)

    rate = rates({"": compiled})[""]
    right = (found == 1) & Sudoku(size=9).verify(solutions) & ((solutions == clues) | (clues < 0)).all(axis=1)
    numbers = sorted({*(clues >= 0).sum(axis=1).tolist()})
    print(
        f"\n{len(clues):,} puzzles of {path.name} with {numbers[0]} to {numbers[-1]} clues: {right.sum():,} "
        f"solved and proved unique, {(found == 0).sum():,} without and {(found > 1).sum():,} with several "
        f"solutions; {rate.per_second:,.0f} /s"
    )


TURNS = """
#include <cstdint>
#include <cstring>
extern "C" {
size_t TdokuSolverDpllTriadSimd(const char*, size_t, uint32_t, char*, size_t*);
size_t TdokuEnumerate(const char*, size_t, void (*)(const char*, void*), void*);
static void keep(const char* solution, void* place) { memcpy(place, solution, 81); }
void count(const char* puzzles, size_t number, int64_t* found) {
  size_t guesses;
  char ignored[81];
  for (size_t i = 0; i < number; i++)
    found[i] = TdokuSolverDpllTriadSimd(puzzles + 82 * i, 2, 0, ignored, &guesses);
}
void solve(const char* puzzles, size_t number, int64_t* found, char* solutions) {
  for (size_t i = 0; i < number; i++)
    found[i] = TdokuEnumerate(puzzles + 82 * i, 2, keep, solutions + 81 * i);
}
}
"""


def build_tdoku(source: Path, folder: Path) -> ctypes.CDLL:
    """A library of tdoku, with loops over many puzzles around it."""
    names = [os.environ.get("CXX", ""), "c++", "g++", "clang++"]
    compiler = next((found for name in names if name and (found := shutil.which(name))), None)
    solver = source / "src" / "solver_dpll_triad_simd.cc"
    if not solver.is_file():
        sys.exit(f"{source} is no checkout of tdoku: {solver} is not there")
    if compiler is None:
        sys.exit(
            "no C++ compiler is installed (c++, g++ or clang++): tdoku cannot be built, nothing is compared"
        )
    (folder / "turns.cc").write_text(TURNS)
    flags = ["-O3", "-march=native", "-std=c++17", "-fPIC", "-shared", "-w", f"-I{source / 'include'}"]
    files = [solver, source / "src" / "util.cc", folder / "turns.cc"]
    library = folder / "tdoku.so"
    subprocess.run([compiler, *flags, "-o", str(library), *map(str, files)], check=True)
    version = subprocess.run([compiler, "--version"], check=True, capture_output=True, text=True)
    print(f"tdoku built by {version.stdout.splitlines()[0]}")
    tdoku = ctypes.CDLL(str(library))
    tdoku.count.restype = tdoku.solve.restype = None
    return tdoku


def _times(call: Callable[[], None], number: int) -> int:
    call()
    return number


def against_tdoku(source: Path, lists: list[Path]) -> None:
    """Time of the search over that of tdoku, which counts only, and which returns the solution as well."""
    few = Sudoku(size=9, givens=26).generate("test", 2000, 0)
    several = np.where(few.given, few.solution, -1).astype(np.int8)
    rng = np.random.default_rng(0)
    for row in several:
        row[rng.choice(np.flatnonzero(row >= 0), 4, replace=False)] = -1
    puzzles = {path.name: read_list(path) for path in (SEVENTEEN, *lists)}
    for givens in (36, 26):
        made = Sudoku(size=9, givens=givens).generate("test", 2000, 0)
        puzzles[f"{givens} givens"] = np.where(made.given, made.solution, -1).astype(np.int8)
    puzzles["several solutions"] = several
    with tempfile.TemporaryDirectory() as folder:
        tdoku = build_tdoku(source, Path(folder))
    print(f"{'list':<32} {'puzzles':>8} {'ours, µs':>9} {'over tdoku':>11} {'with solution':>14}")
    for name, clues in puzzles.items():
        digits = np.full((len(clues), 82), ord("\n"), dtype=np.uint8)
        digits[:, :81] = np.where(clues < 0, ord("."), clues + ord("1"))
        text = digits.tobytes() + bytes(64)  # tdoku reads beyond the last puzzle, in whole vectors
        number = len(clues)
        found, solutions = np.empty(number, dtype=np.int64), np.zeros_like(clues)
        theirs, texts = np.empty(number, dtype=np.int64), np.zeros((number, 81), dtype=np.uint8)
        place, written = theirs.ctypes.data_as(ctypes.c_void_p), texts.ctypes.data_as(ctypes.c_void_p)
        size = ctypes.c_size_t(number)
        calls: dict[str, Callable[[], None]] = {
            "ours": partial(solve_grids, clues, LINES, 9, 2, solutions, found),
            "count": partial(tdoku.count, text, size, place),
            "solve": partial(tdoku.solve, text, size, place, written),
        }
        rate = rates({way: partial(_times, call, number) for way, call in calls.items()}, turns=5)
        assert np.array_equal(found, theirs), name
        one = found == 1
        assert np.array_equal(solutions[one], texts[one].astype(np.int8) - ord("1")), name
        print(
            f"{name:<32} {number:>8,} {1e6 / rate['ours'].per_second:>9.2f} "
            f"{1 / rate['count'].slower:>11.2f} {1 / rate['solve'].slower:>14.2f}",
            flush=True,
        )


def certifying() -> None:
    """What `certify` takes per puzzle."""
    task = Sudoku(size=9)
    puzzles = task.generate("test", 500, 0)

    def proved() -> int:
        assert certify(task, puzzles).holds
        return len(puzzles)

    print(f"\n9×9 puzzles certified by python-sat   {rates({'': proved}, turns=3)[''].per_second:,.0f} /s")


def batches(name: str) -> None:
    """Assembling a batch of 64 visual 9×9 boards against its way through the perception and back."""
    task = Sudoku(size=9)
    bank = load_images(name).train
    examples, _ = assemble(task, task.generate("train", 1000, 0), bank)
    network = LeNet((1, 28, 28), 9)
    rows = [torch.randperm(1000, generator=torch.Generator().manual_seed(i))[:64] for i in range(13)]
    assembled, perceived, images, givens = [], [], [], []
    for turn, chosen in enumerate(rows):
        begun = time.thread_time()
        batch = examples.batch(chosen)
        middle = time.thread_time()
        network(batch.images).logsumexp(-1).sum().backward()
        done = time.thread_time()
        if turn:  # the first is warm-up
            assembled.append(middle - begun)
            perceived.append(done - middle)
            images.append(len(batch.images))
            givens.append(int((batch.place >= 0).sum()))
    ready, read = statistics.median(assembled), statistics.median(perceived)
    print(
        f"\nbatch of 64 visual 9×9 boards ({name}): assembled in {ready * 1e3:.1f} ms, perception forward "
        f"and backward {read * 1e3:.0f} ms: {over(assembled, perceived):.1%}; {statistics.mean(images):.0f} "
        f"distinct images perceived for {statistics.mean(givens):.0f} shown"
    )


def memory() -> None:
    """Bytes that 10,000 9×9 boards take beside the image bank."""
    task = Sudoku(size=9)
    puzzles = task.generate("train", 10_000, 0)
    examples, sealed = assemble(task, puzzles, load_images("digits").train)
    arrays = sum(array.nbytes for array in (puzzles.solution, puzzles.given, puzzles.picture))
    held = (examples.image, examples.symbols, examples.given, examples.answer, sealed.solution)
    tensors = sum(tensor.nbytes for tensor in held)
    print(
        f"\n10,000 9×9 boards: {arrays / 1e6:.1f} MB as puzzles, {tensors / 1e6:.1f} MB as examples with "
        f"their sealed solutions, {(arrays + tensors) / 1e6:.1f} MB together"
    )


def million() -> None:
    """A million 9×9 puzzles to disk, by two processes, and back."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        path = generate_set(Sudoku(size=9), "train", 1_000_000, 0, Path(folder) / "million", workers=2)
        made = time.perf_counter()
        busy = sum(os.times()[:4])  # of this process and of those that have ended
        loaded = load_set(path)
        checked = time.perf_counter()
        load_set(path, check=False)
        opened = time.perf_counter()
        size = sum(file.stat().st_size for file in path.iterdir())
        rng = np.random.default_rng(0)
        some = loaded.puzzles[np.sort(rng.choice(1_000_000, 2000, replace=False))]
        assert certify(loaded.task, some).holds
        print(
            f"1,000,000 9×9 puzzles by 2 processes in {made - begun:.0f} s "
            f"({busy:.0f} s of processor time), {size / 1e6:.0f} MB; read with all hashes checked in "
            f"{checked - made:.1f} s, without in {opened - checked:.3f} s; "
            "2,000 of them certified by python-sat"
        )


def main() -> None:
    """All measurements, or the one that was asked for."""
    torch.set_num_threads(1)
    match sys.argv[1:]:
        case ["million"]:
            million()
            return
        case ["puzzles", file]:
            listed(Path(file))
            return
        case ["tdoku", source, *files]:
            against_tdoku(Path(source), [Path(file) for file in files])
            return
    for givens in (36, 26):
        solving(givens)
    generating()
    listed(SEVENTEEN)
    certifying()
    batches(sys.argv[1] if len(sys.argv) > 1 else "digits")
    memory()


if __name__ == "__main__":
    main()
