"""A process that trains trials which print, and leave settings and random states behind."""

import os
import random

import numpy as np
import torch

from groundcheck.grounding.checks.contract.global_state import global_state
from groundcheck.grounding.engines import scorer


def train_many(*ends) -> None:
    run_trial = scorer.run_trial

    def meddled(trial, after_epoch, scoring):
        def opened():
            drawn = random.random(), np.random.random(), torch.rand(()).item()  # noqa: NPY002
            print("printed", drawn, {**global_state(), "the number of threads": 1}, flush=True)  # noqa: T201
            os.system("echo written by another program")
            return scoring()

        outcome = run_trial(trial, after_epoch, opened)
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(2)
        torch.set_grad_enabled(False)
        torch.use_deterministic_algorithms(True)
        np.seterr(all="raise")
        for seed in (random.seed, np.random.seed, torch.manual_seed):
            seed(7)
        return outcome

    scorer.run_trial = meddled
    scorer.train_many(*ends)
