"""Parity learned by a chain of one SATNet layer (Wang et al. 2019, §4.1), and what a chain in one call saves.

    python benchmarks/parity.py [--length 20 40] [--seeds 3] [--through]

SATNet(3 bits, m=4, aux=4, prox 0.1), SGD with rate 0.1, batches of 100 of 9,000 sequences, error on 1,000
others after each epoch. The public script rounds the state between steps, so that only the last step is
differentiated; `--through` keeps the state as it is and differentiates all of them.
"""

import argparse
import time

import torch
from torch.nn import functional

from groundcheck.solvers.mixing.layer import MixingLayer
from groundcheck.solvers.mixing.schedule import StoppingRule

EPOCHS, BATCH, TRAIN, TEST = 20, 100, 9000, 1000


def learn(length: int, seed: int, *, rounded: bool) -> tuple[list[float], float]:
    """Test error after each epoch, and seconds per epoch."""
    rng = torch.Generator().manual_seed(seed)
    layer = MixingLayer(
        3, m=4, aux=4, stopping=StoppingRule(prox=0.1, relaxation=0.7, backward_relaxation=0.5), generator=rng
    )
    sequences = torch.randint(0, 2, (TRAIN + TEST, length), generator=rng).float()
    parity = sequences.sum(1) % 2
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    errors: list[float] = []
    begin = time.perf_counter()
    for _ in range(EPOCHS):
        for rows in torch.arange(TRAIN).split(BATCH):
            end = layer.chain(sequences[rows], rounded=rounded).clamp(1e-6, 1 - 1e-6)
            optimiser.zero_grad()
            functional.binary_cross_entropy(end, parity[rows]).backward()
            optimiser.step()
        with torch.no_grad():
            wrong = (layer.chain(sequences[TRAIN:], rounded=rounded) > 0.5) != (parity[TRAIN:] > 0.5)
        errors.append(wrong.float().mean().item())
    return errors, (time.perf_counter() - begin) / EPOCHS


def steps_against_chain(length: int) -> float:
    """Time of a call per step over that of a chain in one call, forward and backward; medians in turn."""
    layer = MixingLayer(3, m=4, aux=4)
    sequence = torch.rand(BATCH, length)
    known = torch.tensor([True, True, False]).expand(BATCH, 3)

    def stepwise() -> None:
        state = sequence[:, 0]
        for place in range(1, length):
            state = layer(torch.stack([state, sequence[:, place], state], 1), known)[:, 2]
        state.sum().backward()

    def chained() -> None:
        layer.chain(sequence).sum().backward()

    taken: dict[object, list[float]] = {stepwise: [], chained: []}
    for _ in range(21):
        for work, times in taken.items():
            begin = time.perf_counter()
            work()  # type: ignore[operator]
            times.append(time.perf_counter() - begin)
    slow, quick = (sorted(times)[len(times) // 2] for times in taken.values())
    return slow / quick


def main() -> None:
    """Parses, learns, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--length", type=int, nargs="+", default=[20, 40])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--through", action="store_true", help="differentiate through all steps")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for length in options.length:
        times = steps_against_chain(length)
        print(f"length {length}: a call per step takes {times:.1f} times a chain in one call")
        for seed in range(options.seeds):
            errors, seconds = learn(length, seed, rounded=not options.through)
            print(
                f"  seed {seed}: error {' '.join(f'{e:.3f}' for e in errors)}, {seconds:.2f} s per epoch",
                flush=True,
            )


if __name__ == "__main__":
    main()
