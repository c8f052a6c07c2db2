"""A training step of LeNet, and what torch offers to make it quicker: ratios in one run, and whose bits move.

    python -P benchmarks/step.py [--batch 64] [--rounds 15]

One thread, by its processor time. Every variant trains a network of its own from the same weights on the
same images, in turn with the plain step; a turn is three steps after one that is not counted, and a ratio is
the median of the turns' ratios. "Same" says whether all weights then are the plain step's bit by bit, and
the script fails where a variant that says so (`EXACT`) moves them. The yardstick is a matrix product of as
many flops as the step's convolutions and products. Then the profile of a step, and what a trial's step adds
to the bare one: gathering the images, and the loop of `train`.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding import SolverSpec, Trial
from groundcheck.grounding.perception.lenet import LeNet
from groundcheck.grounding.trials.ceiling import NO_SOLVER, supervised
from groundcheck.grounding.trials.network import build_network
from groundcheck.grounding.trials.session import LocalSession
from groundcheck.grounding.trials.training import Training, train

STEPS = 3  # of a turn
EXACT = ("plain again", "foreach Adam", "Adam, a weight at a time", "gradients zeroed in place")
# Multiply-adds of an image, forth: two convolutions, two products. Back it is twice as many, but the first
# convolution has nobody to hand a gradient to.
FORTH = (24 * 24 * 20 * 25, 8 * 8 * 50 * 500, 800 * 500, 500 * 10)
FLOPS = 2 * (3 * sum(FORTH) - FORTH[0])


class Unfolded(nn.Module):
    """The first convolution, of one input channel, as patches times weights."""

    def __init__(self, net: LeNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        first, *others = self.net.layers
        patches = images[:, 0].unfold(1, 5, 1).unfold(2, 5, 1).reshape(-1, 25)
        maps = torch.addmm(first.bias, patches, first.weight.reshape(20, 25).T)
        maps = maps.view(len(images), 24, 24, 20).permute(0, 3, 1, 2)
        for layer in others:
            maps = layer(maps)
        return maps


class Pooled(nn.Module):
    """Pools by `largest`, not by max_pool2d."""

    def __init__(self, net: LeNet, largest: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.net, self.largest = net, largest

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        maps = images.contiguous(memory_format=torch.channels_last)
        for layer in self.net.layers:
            maps = self.largest(maps) if isinstance(layer, nn.MaxPool2d) else layer(maps)
        return maps


class Rows(nn.Module):
    """Channels first."""

    def __init__(self, net: LeNet) -> None:
        super().__init__()
        self.net = net
        net.layers.to(memory_format=torch.contiguous_format)

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        return self.net.layers(images)


def by_amax(maps: Tensor) -> Tensor:
    """The largest of windows of 2×2."""
    return maps.unflatten(2, (-1, 2)).unflatten(4, (-1, 2)).amax((3, 5))


def by_maximum(maps: Tensor) -> Tensor:
    """The same, of rows and then of columns."""
    rows = torch.maximum(maps[:, :, 0::2], maps[:, :, 1::2])
    return torch.maximum(rows[..., 0::2], rows[..., 1::2])


@dataclass
class Variant:
    """How a step is made; `build` makes a network of a LeNet, the rest are switches."""

    build: Callable[[LeNet], nn.Module] = lambda net: net
    adam: dict[str, bool] | None = None
    narrow: bool = False  # bfloat16
    onednn: bool = True
    zeroed: bool = False
    batches: int = 1  # in one step

    def __post_init__(self) -> None:
        torch.manual_seed(0)
        self.network = self.build(LeNet((1, 28, 28), 10))
        self.optimiser = torch.optim.Adam(self.network.parameters(), 1e-3, **(self.adam or {}))

    def step(self, images: Tensor, labels: Tensor) -> None:
        """One step on the images, so many times over."""
        if self.batches > 1:
            images, labels = images.repeat(self.batches, 1, 1, 1), labels.repeat(self.batches)
        self.optimiser.zero_grad(set_to_none=not self.zeroed)
        with torch.backends.mkldnn.flags(enabled=self.onednn):
            with torch.autocast("cpu", torch.bfloat16, enabled=self.narrow):
                logits = self.network(images)
            functional.cross_entropy(logits.float(), labels).backward()
        self.optimiser.step()

    @property
    def weights(self) -> Tensor:
        """All of them."""
        return torch.cat([p.detach().flatten() for p in self.network.parameters()])


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """Processor time of this thread."""
    begin = time.thread_time()
    for _ in range(times):
        work()
    return (time.thread_time() - begin) / times


def variants() -> dict[str, Variant]:
    """By name; the first is the step as it is."""
    return {
        "plain": Variant(),
        "plain again": Variant(),
        "fused Adam": Variant(adam={"fused": True}),
        "foreach Adam": Variant(adam={"foreach": True}),
        "Adam, a weight at a time": Variant(adam={"foreach": False}),
        "gradients zeroed in place": Variant(zeroed=True),
        "first convolution by unfold": Variant(Unfolded),
        "channels first": Variant(Rows),
        "without oneDNN": Variant(onednn=False),
        "pooling by amax": Variant(lambda net: Pooled(net, by_amax)),
        "pooling by maximum": Variant(lambda net: Pooled(net, by_maximum)),
        "four batches a step": Variant(batches=4),
        "bfloat16": Variant(narrow=True),
    }


def compare(batch: int, rounds: int) -> None:
    """Prints the share of a matrix product, and every variant's ratio."""
    rng = torch.Generator().manual_seed(1)
    images = torch.rand(batch, 1, 28, 28, generator=rng)
    labels = torch.randint(10, (batch,), generator=rng)
    made = variants()
    taken: dict[str, list[float]] = {name: [] for name in made}
    square = torch.rand(2048, 2048)
    products: list[float] = []
    for _ in range(rounds):
        for name, variant in made.items():
            variant.step(images, labels)
            taken[name].append(seconds(lambda v=variant: v.step(images, labels), STEPS) / variant.batches)
        products.append(seconds(lambda: square @ square))
    plain = taken["plain"]
    product = statistics.median(products) * FLOPS * batch / (2 * 2048**3)
    print(
        f"batch {batch}: {statistics.median(plain) * 1e3:.2f} ms a step;"
        f" a matrix product of as many flops takes {product / statistics.median(plain):.2f} of it"
    )
    for name, own in taken.items():
        same = torch.equal(made[name].weights, made["plain"].weights)
        ratio = statistics.median(a / b for a, b in zip(own, plain, strict=True))
        print(f"  {name:28} {ratio:.3f}  {'same' if same else 'moves bits'}", flush=True)
        if name in EXACT and not same:
            raise SystemExit(f"{name}: the weights are not those of the plain step")


def print_profile(batch: int) -> None:
    """The operators that a step spends its time in."""
    images, labels = torch.rand(batch, 1, 28, 28), torch.randint(10, (batch,))
    plain = Variant()
    plain.step(images, labels)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as found:
        for _ in range(20):
            plain.step(images, labels)
    rows = found.key_averages(group_by_input_shape=True)
    total = sum(row.self_cpu_time_total for row in rows)
    for row in sorted(rows, key=lambda row: -row.self_cpu_time_total)[:12]:
        shapes = [tuple(shape) for shape in row.input_shapes if shape][:2]
        print(f"  {row.self_cpu_time_total / total:5.1%}  {row.key} {shapes}")


def loop(batch: int, rounds: int) -> None:
    """What a step of a trial's ceiling takes beyond the bare one on the same number of images."""
    training = Training(puzzles=20 * batch, epochs=1, batch=batch)
    trial = Trial(task=Mapping(), solver=SolverSpec.of("exact"), role="ceiling", seed=0, training=training)
    examples = LocalSession(trial).training
    network = build_network(trial.task, NO_SOLVER, "softmax", 0)
    whole: list[float] = []
    bare: list[float] = []
    gathered: list[float] = []
    rows = torch.arange(batch)
    seen = examples.batch(rows).images
    plain, labels = Variant(), torch.zeros(len(seen), dtype=torch.long)
    evaluated: dict[str, list[float]] = {"no_grad": [], "inference_mode": []}
    for _ in range(rounds // 3):
        order = torch.Generator().manual_seed(0)
        whole.append(seconds(lambda g=order: train(network, examples, training, g, loss=supervised)) / 20)
        bare.append(seconds(lambda: plain.step(seen, labels), 20))
        gathered.append(seconds(lambda: examples.batch(rows), 20))
        for name, own in evaluated.items():
            with getattr(torch, name)():
                own.append(seconds(lambda: plain.network(seen), 20))
    ratio = statistics.median(a / b for a, b in zip(whole, bare, strict=True))
    share = statistics.median(gathered) / statistics.median(whole)
    quicker = statistics.median(a / b for a, b in zip(*reversed(evaluated.values()), strict=True))
    print(f"a trial's step over the bare one {ratio:.3f}; gathering images {share:.3f} of it;", end=" ")
    print(f"reading in inference_mode over no_grad {quicker:.3f}")


def main() -> None:
    """Parses, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    warnings.filterwarnings("ignore", "TF32 acceleration")
    torch.set_num_threads(1)
    compare(options.batch, options.rounds)
    loop(options.batch, options.rounds)
    print_profile(options.batch)


if __name__ == "__main__":
    main()
