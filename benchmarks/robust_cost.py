"""What scoring beyond the test set costs: processor time of a trial with it, against the same without.

    python benchmarks/robust_cost.py satnet sudoku [images]

Runs each twice, interleaved, after a short trial that compiles and loads what both need, and sees to it that
the network that was trained is the same: every figure of the trial without is one of the trial with.
"""

import sys
import time
from dataclasses import replace
from statistics import median

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.image_source import ImageSource
from groundcheck.grounding.trials.budget import budget_for
from groundcheck.grounding.trials.evaluation import Evaluation
from groundcheck.grounding.trials.run import run_trial
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.trial import Outcome, Trial

ROUNDS = 2


def main(solver: str, task: str, images: str = "digits") -> None:
    """Prints the medians and their ratio."""
    chosen = TASKS.load(task)()
    usual = Trial(
        task=chosen,
        solver=SolverSpec(solver),
        role="grounding",
        seed=0,
        training=budget_for(chosen),
        images=ImageSource(images),
    )
    beyond = replace(usual, evaluation=Evaluation(robust=True))
    timed(replace(beyond, training=replace(usual.training, puzzles=64, epochs=1)))
    seconds: dict[str, list[float]] = {"usual": [], "beyond": []}
    for _ in range(ROUNDS):
        took, without = timed(usual)
        seconds["usual"].append(took)
        took, with_it = timed(beyond)
        seconds["beyond"].append(took)
        assert replace(without, seconds=0.0) == replace(with_it, seconds=0.0, beyond=None)
        assert with_it.error is None, with_it.error
    usually, further = (median(seconds[name]) for name in ("usual", "beyond"))
    print(f"{solver} {task} {images}: {usually:.2f} s, beyond {further:.2f} s: {further / usually - 1:+.1%}")


def timed(trial: Trial) -> tuple[float, Outcome]:
    """Processor time of this process, and the outcome."""
    started = time.process_time()
    outcome = run_trial(trial)
    return time.process_time() - started, outcome


if __name__ == "__main__":
    main(*sys.argv[1:])
