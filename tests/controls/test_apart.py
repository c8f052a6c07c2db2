"""Solvers that reach for the scoring: it is in a process in which they never ran."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any

import gallery_trained
import numpy as np
import pytest

from groundcheck.datasets.batch import Sealed
from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.checks.trained import Trained, check_trained
from groundcheck.grounding.engines import scorer
from groundcheck.grounding.engines.pairs import run_trials
from groundcheck.grounding.engines.scorer import run_here
from groundcheck.grounding.trials import run, scoring, session
from groundcheck.grounding.trials.run import run_trial
from groundcheck.grounding.trials.session import LocalSession, RemoteSession, serve, without_solver
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Outcome, Trial
from groundcheck.grounding.verdict import Judgement

TRIAL = Trial(
    task=Mapping(symbols=3),
    solver=SolverSpec("mlp"),
    role="grounding",
    seed=0,
    training=Training(puzzles=64, epochs=1),
)


def of(solver: str) -> Trial:
    return replace(TRIAL, solver=SolverSpec(f"gallery_trained:{solver}"))


def in_processes(*trials: Trial) -> list[Outcome]:
    found: dict[int, Outcome] = {}
    run_trials(trials, 2, found.__setitem__)
    return [plain(found[number]) for number in range(len(trials))]


def plain(outcome: Outcome) -> Outcome:
    return replace(outcome, seconds=0.0, solver="", error=outcome.error and outcome.error.splitlines()[-1])


@pytest.fixture(autouse=True)
def _patched(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a solver patches in this process is put back."""
    for module in (run, scoring, session):
        for name in ("evaluate", "score"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(RemoteSession, "finish", RemoteSession.finish)


@pytest.fixture(scope="module")
def honest() -> Outcome:
    return plain(run_trial(TRIAL))


def test_it_scores_the_same_here_beside_and_in_processes(honest: Outcome) -> None:
    trials = [replace(TRIAL, role=role) for role in ("grounding", "ceiling", "reasoning")]
    here = [plain(run_trial(trial)) for trial in trials]
    assert here[0] == honest
    assert [plain(run_here(trial)) for trial in trials] == here
    assert in_processes(*trials) == here


def test_full_marks_that_a_solver_gives_itself_stay_where_it_is(honest: Outcome) -> None:
    """In one process they are believed; from another, the scores are those of the same network unpatched."""
    cheated = run_trial(of("PatchesScoring"))
    assert cheated.scores is not None
    assert cheated.scores.task == 1.0
    assert in_processes(of("PatchesScoring")) == [honest]
    [forged] = in_processes(of("ForgesItsScores"))
    assert (forged.scores, forged.error) == (None, "this trial ended, and nothing was scored")


def test_sealed_labels_are_not_where_the_solver_looks(honest: Outcome) -> None:
    cheated = run_trial(of("FindsTheSealed"))
    assert cheated.scores is not None
    assert honest.scores is not None
    assert cheated.scores.task > 2 * honest.scores.task
    assert in_processes(of("FindsTheSealed")) == [honest]
    assert plain(run_here(of("FindsTheSealed"))) == honest


def test_held_out_puzzles_come_without_their_answers() -> None:
    found = LocalSession(TRIAL)
    assert all((examples.answer == -1).all() for examples in found.held_out.values())
    assert not [part for part in vars(found.held_out["test"]).values() if isinstance(part, Sealed)]
    assert (found.training.answer[:, 1] >= 0).all()


def test_scoring_hears_nothing_of_a_solver_but_its_name() -> None:
    trial = replace(TRIAL, solver=SolverSpec("some", {"m": 3}, gallery_trained.PassesOn))
    assert without_solver(trial).solver == SolverSpec("some")


@dataclass(frozen=True)
class Local(Mapping):
    """A task that is defined where no other process finds it."""


def test_a_task_that_no_other_process_knows_is_scored_here(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = replace(TRIAL, task=Local(symbols=3))
    monkeypatch.setattr(Local, "__module__", "__main__")
    assert run_here(trial).error is None


def test_a_process_that_may_start_none_scores_itself(
    monkeypatch: pytest.MonkeyPatch, honest: Outcome
) -> None:
    monkeypatch.setattr(multiprocessing.current_process(), "_config", {"daemon": True})
    monkeypatch.setattr(scorer, "RemoteSession", None)
    assert plain(run_here(TRIAL)) == honest


def test_what_breaks_a_trial_does_not_break_the_next(honest: Outcome) -> None:
    broken = run_here(replace(TRIAL, solver=SolverSpec("gallery_trained:no_such")))
    assert broken.error is not None
    assert plain(run_here(TRIAL)) == honest


def test_what_breaks_in_scoring_is_told_of_the_trial() -> None:
    too_many = replace(TRIAL, task=replace(TRIAL.task, symbols=10), images=ImageSource("no_such_images"))
    for outcome in (run_here(too_many), *in_processes(too_many)):
        assert "no_such_images" in (outcome.error or "")
        assert outcome.scores is None


@contextmanager
def scored_by(heard: list[Any]) -> Iterator[Connection]:
    """The trial's end of a pipe, at whose other end scoring is ready; `heard` gets what it reports."""
    ours, theirs = multiprocessing.Pipe()
    thread = Thread(target=serve, args=(TRIAL, theirs, heard.append))
    thread.start()
    assert ours.recv()[0] == "ready"
    yield ours
    ours.close()
    thread.join()


def test_a_pickle_is_not_opened_by_scoring() -> None:
    heard: list[Any] = []
    with scored_by(heard) as pipe:
        pipe.send_bytes(session.encode("finish"))
        assert pipe.recv()[0] == "ask"
        pipe.send_bytes(session.encode("answer", part0=np.array([{"a": 1}], dtype=object)))
        kind, error = pipe.recv()
    assert (kind, "allow_pickle" in str(error), heard) == ("raised", True, [])


def test_a_trial_that_breaks_off_in_the_middle_of_an_answer_is_left() -> None:
    heard: list[Any] = []
    with scored_by(heard) as pipe:
        pipe.send_bytes(session.encode("finish"))
        assert pipe.recv()[0] == "ask"
        pipe.send_bytes(session.encode("end"))
    assert heard == []


def test_a_bijection_that_was_found_by_the_seed_was_there_before_the_first_step() -> None:
    """A bijection that no seed draws cannot be found so."""
    small = replace(of("InvertsTheSeed"), task=Mapping(symbols=5))
    by_seed: list[Outcome] = []
    for seed in range(3):
        by_seed += [run_trial(replace(small, seed=seed, role=role)) for role in ("grounding", "reasoning")]
    verdict = Judgement("INCONCLUSIVE", 0, 0, 3, (0.0, 1.0), "", "")
    [found] = [f for f in check_trained(Trained(verdict, by_seed), "mapping") if f.check == "brought"]
    assert (found.status, found.figure) == ("fail", 1.0)
    drawn = small.task.drawn(0)
    assert isinstance(drawn, Mapping)
    other = tuple((output + 1) % 5 for output in drawn.bijection or ())
    fixed = run_trial(replace(small, task=Mapping(symbols=5, bijection=other), role="reasoning"))
    assert fixed.curve[0].task == 0.0  # it goes by the one that it found
