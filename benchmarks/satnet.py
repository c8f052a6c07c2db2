"""Our SATNet layer against the public one: speed, as ratios in one run, and agreement.

    python benchmarks/satnet.py [--cases 4x4 parity …] [--rounds 5]

One thread, by its processor time. Both layers run in this process in turn, A B A B …; times are medians.
A turn of a quick layer is several calls after one that is not counted: that one finds neither the layer's
code nor torch's in the caches, and what it costs is told apart, as the ratio with one call a turn.
"Same sweeps": the same start, order, k and stopping rule, so that both make the same iterates, compared in
output and gradient, and with the same iterates in float64, which tell whose rounding a difference is: ours
must be as near to those as rounding is (`ROUNDING`), and so must the public layer's, or the script fails.
"Same accuracy": our own k and over-relaxation, with the loosest tolerances at which outputs and gradients
are still nearer to the converged ones than the public layer's are. The public layer is built from its
registry package if it is not installed and there is a compiler. A matrix product of as many flops as our
sweeps is the yardstick of every row, and the only one without that package, or with --alone. Last comes what
a first call costs, in a process that finds no kernels on disk, and in one that does: processor seconds of a
first pass in both directions beyond a second.
"""

import argparse
import importlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

# This file has the name of the package that it measures against.
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).parent.resolve()]

# ruff: noqa: E402
import torch
from torch import Tensor, nn

from groundcheck.solvers.mixing.layer import MixingLayer
from groundcheck.solvers.mixing.schedule import StoppingRule
from groundcheck.solvers.mixing.simd import REGISTER_BYTES

PLAIN = StoppingRule(backward_tolerance=None)  # as the public layer steps and stops
PUBLIC_K = 32
# From the same sweeps in float64: the largest difference of outputs, and the relative one of the gradient.
# A last bit may move where a sample stops, and a nearly saturated output has few digits.
ROUNDING = (5e-5, 2e-4)
QUICK = 0.01  # seconds of a forward pass below which a turn is several calls
TURN = 10
# The package's sources include a header that the package leaves out; by its use it declares this.
HEADER = """#include <stdint.h>
typedef struct mix_t {
    int b, n, m, k;
    int32_t *is_input, *index, *niter;
    float *S, *dS, *z, *dz, *V, *U, *W, *Phi, *gnrm, *Snrms, *cache;
} mix_t;
"""


@dataclass(frozen=True)
class Case:
    """A layer and a batch: `cells` of `symbols` bits; the first, or `scattered`, `givens` cells are known."""

    name: str
    cells: int
    symbols: int
    givens: int
    scattered: bool
    aux: int
    m: int
    batch: int
    floor: tuple[float, float]  # ratios to reach, forward and backward
    aim: tuple[float, float]
    path: Any = None

    @property
    def bits(self) -> int:
        """Inputs of the layer."""
        return self.cells * self.symbols

    @property
    def free(self) -> int:
        """Variables to solve for."""
        return (self.cells - self.givens) * self.symbols + self.aux


CASES = (
    Case("9x9", 81, 9, 36, True, 300, 600, 40, (15, 12), (30, 28)),
    Case("4x4", 16, 4, 7, True, 32, 100, 64, (20, 20), (50, 50)),
    Case("mapping", 2, 10, 1, False, 20, 64, 512, (25, 25), (100, 100)),
    Case("mapping-small", 2, 10, 1, False, 0, 12, 512, (20, 20), (50, 50)),
    Case("mapping-small-64", 2, 10, 1, False, 0, 12, 64, (10, 8), (25, 20)),
    Case("parity", 3, 1, 2, False, 4, 8, 100, (8, 6), (20, 15)),
    Case("9x9-torch", 81, 9, 36, True, 300, 600, 40, (3, 3), (4, 5), "torch"),
)


@dataclass(frozen=True)
class Batch:
    """What one call sees."""

    bits: Tensor
    known: Tensor
    slope: Tensor


def draw(case: Case) -> tuple[Tensor, Tensor, Batch]:
    """Clauses, start vectors, and a batch with fractional givens."""
    rng = torch.Generator().manual_seed(0)
    n = 1 + case.bits + case.aux
    clauses = torch.randn(n, case.m, generator=rng) * (0.5 / (n + case.m)) ** 0.5
    start = torch.randn(n, PUBLIC_K, generator=rng)
    rank = torch.arange(case.cells).expand(case.batch, -1)
    if case.scattered:
        rank = torch.rand(case.batch, case.cells, generator=rng).argsort(1)
    known = (rank < case.givens).repeat_interleave(case.symbols, 1)
    bits = torch.rand(case.batch, case.bits, generator=rng)
    return (
        clauses,
        start / start.norm(dim=1, keepdim=True),
        Batch(bits, known, torch.randn(bits.shape, generator=rng)),
    )


def public_package() -> Any:
    """The public implementation, built into a temporary folder if need be; None where that fails."""
    try:
        return importlib.import_module("satnet")
    except ImportError:
        pass
    folder = tempfile.mkdtemp(prefix="public-satnet-")
    (Path(folder) / "satnet.h").write_text(HEADER)
    command = ["-m", "pip", "install", "--no-build-isolation", "--no-deps", "--target", folder, "satnet"]
    built = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "CPATH": folder},
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        print(
            "the public package could not be built:", (built.stdout + built.stderr).strip().splitlines()[-1]
        )
        return None
    sys.path.append(folder)
    return importlib.import_module("satnet")


class Public(nn.Module):
    """The public layer, told its start and order: it would draw them anew in every call."""

    def __init__(self, package: Any, case: Case, clauses: Tensor, start: Tensor) -> None:
        super().__init__()
        # It needs m to be a multiple of 4, which holds for every case.
        self.layer = package.SATNet(case.bits, case.m, case.aux)
        self.clauses, self.start = self.layer.S, start
        self.order = torch.arange(len(start) - 1, dtype=torch.int)
        with torch.no_grad():
            self.clauses.copy_(clauses)

    def forward(self, bits: Tensor, known: Tensor) -> Tensor:
        """The bits filled in."""
        with (
            patch.object(torch.Tensor, "normal_", lambda vectors: vectors.copy_(self.start)),
            patch.object(torch, "randperm", lambda *_, **__: self.order),
        ):
            return self.layer(bits, known.int())


def ours(case: Case, clauses: Tensor, stopping: StoppingRule, start: Tensor | None = None) -> MixingLayer:
    """Our layer with these weights, and this start or its own."""
    rng = torch.Generator().manual_seed(1)
    layer = MixingLayer(case.bits, m=case.m, aux=case.aux, stopping=stopping, generator=rng, path=case.path)
    with torch.no_grad():
        layer.clauses.copy_(clauses)
    if start is not None:
        layer.start = start
    return layer


@dataclass
class Outcome:
    """One forward and backward pass."""

    output: Tensor
    to_clauses: Tensor
    forward: float  # seconds
    backward: float


def run(layer: Any, batch: Batch) -> Outcome:
    """Times one pass in each direction; the gradient reaches the clauses and the bits."""
    bits = batch.bits.clone().requires_grad_()
    layer.zero_grad()
    begin = time.thread_time()
    output = layer(bits, batch.known)
    between = time.thread_time()
    output.backward(batch.slope.to(output.dtype))
    end = time.thread_time()
    return Outcome(output.detach(), layer.clauses.grad.clone(), between - begin, end - between)


def interleaved(
    layers: list[Any], batch: Batch, rounds: int, *, warm: bool = True
) -> list[tuple[float, float]]:
    """Median seconds forward and backward of each layer, in turn; the first round warms up.

    At least so many rounds, and more of quick layers, for two seconds or 50 rounds. A turn of a quick layer
    is `TURN` calls after one that is not counted, or not `warm` a single one.
    """
    times: list[list[Outcome]] = [[] for _ in layers]
    calls = [TURN if warm and run(layer, batch).forward < QUICK else 1 for layer in layers]
    begin, done = time.perf_counter(), -1
    while done < rounds or (done < 50 and time.perf_counter() - begin < 2):
        for layer, taken, number in zip(layers, times, calls, strict=True):
            turn = [run(layer, batch) for _ in range(number + (number > 1))]
            if done >= 0:
                taken.extend(turn[number > 1 :])
        done += 1
    return [
        (statistics.median(t.forward for t in taken), statistics.median(t.backward for t in taken))
        for taken in times
    ]


def relative(found: Tensor, true: Tensor) -> float:
    """|found − true| / |true|."""
    return float((found.double() - true.double()).norm() / true.double().norm())


@dataclass(frozen=True)
class Accuracy:
    """Distance to the converged layer: mean of outputs at the queries, relative of the gradient of S."""

    output: float
    gradient: float


CONVERGED = StoppingRule(
    limit=1000, tolerance=1e-12, backward_tolerance=1e-12, relaxation=0.7, backward_relaxation=0.5
)


def in_double(
    case: Case, clauses: Tensor, start: Tensor | None, batch: Batch, stopping: StoppingRule
) -> Outcome:
    """The same layer in float64."""
    layer = ours(case, clauses, stopping, start).double()
    return run(layer, Batch(batch.bits.double(), batch.known, batch.slope))


def accuracy(found: Outcome, true: Outcome, known: Tensor) -> Accuracy:
    """Of one pass."""
    off = (found.output - true.output).abs()[~known].mean()
    return Accuracy(float(off), relative(found.to_clauses, true.to_clauses))


def as_accurate(case: Case, clauses: Tensor, batch: Batch, wanted: Accuracy) -> tuple[StoppingRule, Accuracy]:
    """The loosest tolerances, on a ladder of factors of 2, that are as accurate as wanted."""
    true = in_double(case, clauses, None, batch, CONVERGED)
    stopping, reached = StoppingRule(), Accuracy(1, 1)
    ladder = [0.02 * 0.5**step for step in range(20)]
    for tolerance in ladder:
        for backward_tolerance in ladder:
            stopping = StoppingRule(
                200, tolerance, backward_tolerance, relaxation=0.7, backward_relaxation=0.5
            )
            reached = accuracy(run(ours(case, clauses, stopping), batch), true, batch.known)
            if reached.output > wanted.output:
                break  # the gradient cannot mend this
            if reached.gradient <= wanted.gradient:
                return stopping, reached
    return stopping, reached


def marked(ratio: float, floor: float, aim: float) -> str:
    """A ratio and what it reaches."""
    return f"{ratio:7.1f}x ({'aim' if ratio >= aim else 'floor' if ratio >= floor else 'below'})"


def compare(case: Case, package: Any, rounds: int) -> None:
    """Prints what a case shows."""
    clauses, start, batch = draw(case)
    same = ours(case, clauses, PLAIN, start)
    scale = 1.0 if REGISTER_BYTES == 64 or case.path == "torch" else 2 / 3
    print(f"{case.name}: {case.bits}+{case.aux} bits, m={case.m}, batch {case.batch}, path {same.path}")
    yardstick(case, same, batch, rounds)
    if package is None:
        return
    public = Public(package, case, clauses, start)
    a, b = run(public, batch), run(same, batch)
    (ref_f, ref_b), (our_f, our_b) = interleaved([public, same], batch, rounds)
    print(
        f"  same sweeps    forward {marked(ref_f / our_f, case.floor[0] * scale, case.aim[0])}"
        f"  backward {marked(ref_b / our_b, case.floor[1] * scale, case.aim[1])}"
        f"  public {ref_f * 1e3:.2f} + {ref_b * 1e3:.2f} ms, ours {our_f * 1e3:.2f} + {our_b * 1e3:.2f} ms;"
        f"  largest difference of outputs {float((a.output - b.output).abs().max()):.1e},"
        f" of the gradient of S {relative(b.to_clauses, a.to_clauses):.1e}"
    )
    if our_f < QUICK:
        (cold_f, cold_b), (ours_f, ours_b) = interleaved([public, same], batch, rounds, warm=False)
        print(f"  one call a turn forward {cold_f / ours_f:7.1f}x  backward {cold_b / ours_b:7.1f}x")
    true = in_double(case, clauses, start, batch, PLAIN)
    for name, found in (("public", a), ("our", b)):
        off = float((found.output - true.output).abs().max()), relative(found.to_clauses, true.to_clauses)
        if not (off[0] < ROUNDING[0] and off[1] < ROUNDING[1]):
            raise SystemExit(f"{case.name}: the {name} layer made other iterates, {off} off")
    print(
        "  from the same sweeps in float64:"
        + ";".join(
            f" {name} {float((o.output - true.output).abs().max()):.1e} in output,"
            f" {relative(o.to_clauses, true.to_clauses):.1e} in the gradient of S"
            for name, o in (("public", a), ("ours", b))
        )
    )
    if case.path == "torch":
        return  # the accuracies are those of the compiled path
    few = Batch(batch.bits[:4], batch.known[:4], batch.slope[:4]) if case.bits > 500 else batch
    wanted = accuracy(run(public, few), in_double(case, clauses, start, few, CONVERGED), few.known)
    stopping, reached = as_accurate(case, clauses, few, wanted)
    quick = ours(case, clauses, stopping)
    (ref_f, ref_b), (our_f, our_b) = interleaved([public, quick], batch, rounds)
    print(
        f"  same accuracy  forward {marked(ref_f / our_f, case.floor[0] * scale, case.aim[0])}"
        f"  backward {marked(ref_b / our_b, case.floor[1] * scale, case.aim[1])}"
        f"  public {wanted.output:.1e}, {wanted.gradient:.1e} off the converged output and gradient,"
        f" ours {reached.output:.1e}, {reached.gradient:.1e} with k={quick.start.shape[1]},"
        f" tolerances {stopping.tolerance:.1e}, {stopping.backward_tolerance:.1e}",
        flush=True,
    )


def yardstick(case: Case, layer: MixingLayer, batch: Batch, rounds: int) -> None:
    """Time of a square matrix product with the flops of our sweeps, over our time."""
    ((forward, backward),) = interleaved([layer], batch, rounds)
    a = torch.rand(2048, 2048)
    taken = []
    for _ in range(rounds):
        begin = time.thread_time()
        a @ a
        taken.append(time.thread_time() - begin)
    rate = 2 * 2048**3 / statistics.median(taken)
    flops = 2 * case.free**2 * PUBLIC_K * case.batch * PLAIN.limit
    print(
        f"  a matrix product of as many flops as {PLAIN.limit} sweeps takes"
        f" {flops / rate / forward:.2f} of our time forward, {flops / rate / backward:.2f} backward;"
        f" ours {forward * 1e6:.0f} + {backward * 1e6:.0f} µs"
    )


def peak(which: str, case: Case) -> float:
    """MiB that one forward and backward pass adds to the peak of a fresh process."""
    command = [sys.executable, __file__, "--peak", which, "--cases", case.name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def print_peak(which: str, case: Case) -> None:
    """The child's side of `peak`: what is loaded and drawn before is not counted, nor is compiling."""
    clauses, start, batch = draw(case)
    layer = (
        ours(case, clauses, PLAIN, start)
        if which == "ours"
        else Public(public_package(), case, clauses, start)
    )
    run(layer, Batch(batch.bits[:1], batch.known[:1], batch.slope[:1]))
    layer.zero_grad()
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    run(layer, batch)
    print(memory("VmHWM") - before)


def memory(entry: str) -> float:
    """MiB of this process, now (VmRSS) or at most so far (VmHWM); Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(entry))


def first_call(names: list[str], cache: str) -> float:
    """Processor seconds of a first pass of these cases in a fresh process; kernels are kept in `cache`."""
    command = [sys.executable, __file__, "--first-call", "--cases", *names]
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout.split()[-1])


def print_first_call(cases: list[Case]) -> None:
    """The child's side of `first_call`; importing numba is not counted."""
    importlib.import_module("groundcheck.solvers.mixing.compiled")
    drawn = [(case, *draw(case)) for case in cases]
    layers = [(ours(case, clauses, PLAIN, start), batch) for case, clauses, start, batch in drawn]
    taken = []
    for _ in range(2):
        begin = time.process_time()
        for layer, batch in layers:
            run(layer, batch)
        taken.append(time.process_time() - begin)
    print(taken[0] - taken[1])


def print_first_calls(chosen: list[Case]) -> None:
    """Of each compiled path by itself, and of both in one process."""
    names = {ours(case, draw(case)[0], PLAIN).path: [case.name] for case in chosen}
    names.pop("torch", None)
    if len(names) > 1:
        names["both"] = [name for path in names.values() for name in path]
    for path, cases in names.items():
        with tempfile.TemporaryDirectory() as cache:
            compiled, kept = first_call(cases, cache), first_call(cases, cache)
        print(f"first call, path {path}: {compiled:.1f} s; with kernels from disk {kept:.1f} s", flush=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch with one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def main() -> None:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    names = [case.name for case in CASES]
    parser.add_argument("--cases", nargs="+", choices=names, default=names)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--alone", action="store_true", help="our layer against a matrix product only")
    parser.add_argument("--peak", choices=("ours", "public"), help=argparse.SUPPRESS)
    parser.add_argument("--first-call", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    chosen = [case for case in CASES if case.name in options.cases]
    with one_thread():
        if options.peak:
            print_peak(options.peak, chosen[0])
            return
        if options.first_call:
            print_first_call(chosen)
            return
        print(
            f"registers of {REGISTER_BYTES * 8} bits, {'with' if REGISTER_BYTES == 64 else 'without'} AVX-512"
        )
        package = None if options.alone else public_package()
        for case in chosen:
            compare(case, package, options.rounds)
            if case.name == "9x9" and Path("/proc/self/clear_refs").exists():
                public = f", public {peak('public', case):.0f} MiB" if package else ""
                print(f"  peak memory    ours {peak('ours', case):.0f} MiB{public}", flush=True)
        if not options.alone:
            print_first_calls(chosen)


if __name__ == "__main__":
    main()
