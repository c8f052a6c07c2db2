"""Layers that hand a reading on, or hide the answer in it, on tasks so small that it takes seconds."""

from collections.abc import Mapping as Mapping_

import gallery_trained
import numpy as np
import pytest
import torch

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.datasets.task import Split, Task
from groundcheck.grounding.checks.bypass import Grounded, bypass
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.measures.interventions import Interventions
from groundcheck.grounding.trials.run import run_trial
from groundcheck.grounding.trials.scoring import EvaluationSet
from groundcheck.grounding.trials.session import LocalSession
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Trial
from groundcheck.solvers.exact import Exact

SMALL = Mapping(symbols=6)
SHORT = Training(puzzles=256, epochs=4, batch=16)


def trained(solver: str | type, seed: int, task: Task = SMALL, training: Training = SHORT) -> Interventions:
    spec = SolverSpec.of(solver)
    outcome = run_trial(Trial(task=task, solver=spec, role="grounding", seed=seed, training=training))
    assert outcome.interventions is not None, outcome.error
    return outcome.interventions


def findings(*seeds: Interventions) -> dict[str, Finding]:
    return {f.check: f for f in bypass.run(Grounded(seeds))}


@pytest.mark.parametrize("name", ["PassesOn", "Highway"])
def test_a_layer_that_lets_its_input_by_is_found(name: str) -> None:
    """Perception learns the names of the answers; on each of two seeds, with another bijection."""
    seeds = [trained(getattr(gallery_trained, name), seed) for seed in (0, 1)]
    found = findings(*seeds)
    assert found["bypass/copy"].status == "fail"
    assert found["bypass/symbols"].status == "pass"
    assert seeds[0].handed == seeds[1].handed == list(range(6))


def test_under_a_renaming_of_its_own_it_is_found_on_the_second_seed_and_third() -> None:
    found = findings(*(trained(gallery_trained.PassesOnTurned, seed) for seed in (0, 1, 2)))
    assert found["bypass/copy"].status == "fail"
    assert "as in the seed before" in found["bypass/copy"].reason


@pytest.mark.parametrize("name", ["exact", "mlp"])
def test_sound_solvers_hand_nothing_on(name: str) -> None:
    found = findings(*(trained(name, seed) for seed in (0, 1)))
    assert found["bypass/copy"].status in ("pass", "skip")
    assert found["bypass/symbols"].status in ("pass", "skip")


def test_a_copied_given_answers_no_board() -> None:
    seed = trained(gallery_trained.CopiesAGiven, 0, Sudoku(), Training(puzzles=64, epochs=1))
    assert seed.handed is None
    assert seed.plain == 0.0
    assert "no query is a renaming" in findings(seed)["bypass/copy"].reason


class Coded:
    """A perception that reads every image right, and puts the answer second."""

    def __init__(self, solver: torch.nn.Module, sets: Mapping_[Split, EvaluationSet]) -> None:
        self.solver, self.sets = solver, sets

    def read(self, split: Split, most: int | None) -> tuple[np.ndarray, np.ndarray]:
        read = self.sets[split].bank.labels[:most] % 6
        return read, np.full(len(read), 0.8)

    def believe(self, split: Split, most: int) -> np.ndarray:
        solution = self.sets[split].sealed.solution[:most].long()
        hot = torch.nn.functional.one_hot(solution, 6).float()
        return (0.8 * hot + 0.15 * hot.flip(1) + 0.05 / 6).numpy()

    def complete(self, beliefs: np.ndarray, given: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return self.solver(torch.from_numpy(beliefs), torch.from_numpy(given)).numpy()

    def predict(self, split: Split) -> np.ndarray:
        size = len(self.sets[split].examples)
        return self.complete(self.believe(split, size), self.sets[split].examples.given.numpy())


@pytest.mark.parametrize(("solver", "status"), [(gallery_trained.HidesACode, "fail"), (Exact, "pass")])
def test_a_code_beside_the_most_likely_symbol_is_not_in_true_symbols(solver: type, status: str) -> None:
    """It answers from images, with perfect readings; from symbols, where nothing is hidden, it cannot."""
    task = Mapping(symbols=6, bijection=(1, 2, 3, 4, 5, 0))
    trial = Trial(task=task, solver=SolverSpec("mlp"), role="grounding", seed=0, training=SHORT)
    session = LocalSession(trial)
    scores, found = session.finish(Coded(solver(task.problem), session.sets))
    assert scores.task == 1.0
    assert scores.aligned == 1.0
    assert found is not None
    assert findings(found)["bypass/symbols"].status == status


def test_half_of_the_names_passed_on_are_found_over_seeds() -> None:
    seeds = [trained(gallery_trained.PassesOnSome, seed) for seed in (0, 1, 2)]
    assert [seed.handed[:3] for seed in seeds if seed.handed] == [[0, 1, 2]] * 3
