"""Kills trials with SIGKILL at random moments, starts them again, and holds what comes of them against runs
that nobody touched.

python benchmarks/interrupted.py [--kills 50] [--seed 0] [--puzzles 3000] [--epochs 8]

Each trial runs in a process of its own, and another scores it, as `groundcheck run` does. A moment is drawn
uniformly over what is left of the trial, by its own progress, so that it falls there on a busy machine as
well: building and clustering together, final scoring, and each epoch with what is written after it count
alike.
Checkpoints are written as everywhere, after an epoch where 20 times as long as writing one takes have gone,
or 10 s. Told are epochs that had ended and were trained again, and the seconds of these.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from groundcheck.datasets.catalogue import TASKS
from groundcheck.grounding.engines.children import process_context
from groundcheck.grounding.engines.scorer import run_here
from groundcheck.grounding.trials import run
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Outcome, Point, Trial

SOLVERS = {  # on what, and with which options
    "satnet": ("mapping", {"m": 16, "aux": 5}),
    "grounded-satnet": ("mapping", {"m": 16, "aux": 5}),
    "perturbed": ("sudoku", {}),
    "transformer": ("mapping", {}),
    "imle": ("sudoku", {}),
}


def trial_of(solver: str, folder: Path, training: Training) -> Trial:
    """grounded-satnet clusters first, perturbed and imle draw noise of their own."""
    task, options = SOLVERS[solver]
    return Trial(
        task=TASKS.load(task)(),
        solver=SolverSpec(solver, options),
        role="grounding",
        seed=1,
        training=training,
        validation_puzzles=20,
        test_puzzles=50,
        checkpoint=folder,
    )


def run_and_tell(trial: Trial, sender: Connection) -> None:
    """Runs a trial; tells where its training begins, each epoch, its outcome."""
    train = run.train

    def began(*arguments: object, **named: object) -> None:
        sender.send(("began", named["ended"]))
        train(*arguments, **named)  # pyright: ignore

    def ended(point: Point) -> None:
        sender.send(("ended", point.epoch))

    run.train = began
    sender.send(("started", 0))
    sender.send(("outcome", run_here(trial, ended)))


@dataclass
class Life:
    """One process of a trial, from its start to its end."""

    start: float = field(default_factory=time.monotonic)  # when it began to build
    began: int | None = None  # after how many epochs it went on; None: killed before it trained
    ended: int = 0  # the last epoch that ended
    moments: dict[int, float] = field(default_factory=dict)  # at which each did, by this process's clock
    outcome: Outcome | None = None

    @property
    def built(self) -> float:
        """Seconds until it trained."""
        return min(self.moments.values()) - self.start

    @property
    def seconds(self) -> dict[int, float]:
        """What each epoch took that was trained in this life."""
        trained = [epoch for epoch in self.moments if epoch > (self.began or 0)]
        return {epoch: self.moments[epoch] - self.moments[epoch - 1] for epoch in trained}

    def hear(self, kind: str, content: Any) -> None:
        """Takes in what the process tells."""
        if kind == "began":
            self.began = self.ended = content
            self.moments[content] = time.monotonic()
        elif kind == "ended":
            self.ended = content
            self.moments.setdefault(content, time.monotonic())
        else:
            self.outcome = content

    def reaches(self, moment: float, whole: "Life") -> float:
        """When it gets to a moment, as far as that can be told by now; infinity before.

        Args:
            moment: Epochs after which it is to be killed; below 0, by how much of the building is left.
            whole: The life of this trial that nobody touched: what building takes, and the first epoch.
        """
        if moment < 0:
            return self.start + (1 + moment) * whole.built
        epoch = max(int(moment), self.began or 0)
        if epoch not in self.moments:
            return float("inf")
        usual = list((self.seconds or whole.seconds).values())
        return self.moments[epoch] + (moment - int(moment)) * sum(usual) / len(usual)


def live(trial: Trial, moment: float = float("inf"), whole: Life | None = None) -> Life:
    """Runs a trial until it is over, or until a moment and a kill."""
    receiver, sender = process_context().Pipe(duplex=False)
    process = process_context().Process(target=run_and_tell, args=(trial, sender))
    process.start()
    sender.close()
    assert receiver.recv()[0] == "started"
    life = Life()
    with suppress(EOFError):
        while life.outcome is None:
            until = float("inf") if whole is None else life.reaches(moment, whole)
            if time.monotonic() >= until:
                break
            if receiver.poll(min(1.0, until - time.monotonic())):
                life.hear(*receiver.recv())
        os.kill(process.pid or 0, signal.SIGKILL)
        while True:  # what it said before it was killed
            life.hear(*receiver.recv())
    process.join()
    return life


def main(words: Sequence[str]) -> int:
    """Prints what came of it; 1 where an outcome differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--puzzles", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=8)
    asked = parser.parse_args(words)
    training = Training(puzzles=asked.puzzles, epochs=asked.epochs)
    moments = random.Random(asked.seed)
    names = list(SOLVERS)
    kills = before = after = differing = repeated = outcomes = turn = 0
    lost: list[float] = []  # seconds beyond the epoch in flight
    with tempfile.TemporaryDirectory() as place:
        expected = {
            name: live(replace(trial_of(name, Path(place), training), checkpoint=None)) for name in SOLVERS
        }
        epochs = [seconds for life in expected.values() for seconds in life.seconds.values()]
        while kills < asked.kills:
            name = names[turn % len(names)]
            turn += 1
            whole = expected[name].outcome
            assert whole is not None, f"{name} did not end"
            assert whole.error is None, whole.error
            trial = trial_of(name, Path(place) / str(turn), training)
            last, lives, outcome = 0, 0, None
            took: dict[int, float] = {}
            while outcome is None:
                moment = moments.uniform(-1, training.epochs + 1 - last)
                if kills >= asked.kills or lives == 8:
                    life = live(trial)  # it may come to its end
                else:
                    life = live(trial, moment if moment < 0 else last + moment, expected[name])
                lives += 1
                outcome = life.outcome
                if outcome is None:
                    kills += 1
                    before += life.began is None
                    after += life.ended == trial.training.epochs
                if life.began is not None:
                    repeated += max(0, last - life.began)
                    if life.began < last:
                        again = range(life.began + 1, last + 1)
                        lost.append(sum(took.get(epoch, max(epochs)) for epoch in again))
                took |= life.seconds
                last = max(last, life.ended, life.began or 0)
            outcomes += 1
            same = replace(outcome, seconds=0) == replace(whole, seconds=0)
            differing += not same
            state = "same" if same else "DIFFERENT"
            print(f"{name}: {lives - 1} kills, then an outcome: {state}", flush=True)
            shutil.rmtree(trial.checkpoint or "", ignore_errors=True)
    print(
        f"{kills} kills in {outcomes} trials ({before} before training went on, {after} after the last "
        f"epoch): {outcomes - differing} outcomes bit-identical, {differing} not; {repeated} epochs that had "
        f"ended were trained again, at most {max(lost, default=0.0):.2f} s at once; an epoch takes "
        f"{min(epochs):.2f} to {max(epochs):.2f} s"
    )
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
