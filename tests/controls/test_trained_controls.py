"""Solvers that only training end to end gives away, on tasks so small that it takes a second."""

from dataclasses import replace

import numpy as np
import pytest

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.images import load_images
from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding import check
from groundcheck.grounding.checks import leak as leak_module
from groundcheck.grounding.checks.leak import Setting, leak
from groundcheck.grounding.engines.children import Limits
from groundcheck.grounding.measures.metrics import score
from groundcheck.grounding.results.report import Report
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training

SMALL = Mapping(symbols=3, bijection=(1, 2, 0))
SHORT = {"training.puzzles": 256, "training.epochs": 6, "training.batch": 16}


def checked(name: str, task=SMALL, seeds: int = 1, **options) -> Report:
    return check(
        f"gallery_trained:{name}",
        tasks=[task],
        settings=SHORT,
        seeds=seeds,
        workers=0,
        isolate=False,
        **options,
    )


def failing(report: Report) -> set[str]:
    return {f.check for f in report.tasks[0].findings if f.status in ("fail", "error")}


def test_a_loss_over_all_cells_leaks() -> None:
    report = checked("LeaksThroughTheLoss", replace(SMALL, supervision="leaky"))
    assert report.tasks[0].judgement.verdict == "LEAKY"
    assert {"leak/labels", "grounding"} <= failing(report) <= {"leak/labels", "grounding", "reasoning"}
    assert report.exit_code == 1


def test_a_hidden_relabelling_is_a_shortcut_where_rules_are_given() -> None:
    report = checked("RelabelsWhatItIsGiven", seeds=2)
    assert report.tasks[0].judgement.verdict == "SHORTCUT"
    assert failing(report) == {"contract/equivariance", "grounding", "reasoning"}
    scores = report.tasks[0].scores("grounding")[0]
    assert scores.raw is not None
    assert scores.aligned is not None
    assert scores.raw < 0.2
    assert scores.aligned > 0.9


def test_perception_that_does_all_the_work_is_seen_on_true_symbols() -> None:
    """The solver hands the belief through; perception learns the outputs. Its relabelling is hidden by
    alignment, but from true symbols it answers nothing.
    """
    report = checked("HandsThrough")
    assert "reasoning" in failing(report)
    assert report.exit_code == 1


def test_an_answer_that_does_not_come_through_the_beliefs_is_caught_by_intervention() -> None:
    report = checked("RemembersTheTruth")
    assert {"bypass/shuffle", "bypass/permute", "bypass/corrupt"} <= failing(report)


def test_rules_that_are_kept_pass_everything() -> None:
    report = check("exact", tasks=[SMALL], settings=SHORT, seeds=1, workers=0)
    task = report.tasks[0]
    assert failing(report) == set()
    assert [f.status for f in task.findings if f.family == "bypass"] == [*["pass"] * 4, "skip"]
    assert task.judgement.grounded == 1


def test_what_the_puzzles_leave_open_fails_nobody() -> None:
    """On MNIST-Half 2, 3 and 4 are not determined: raw grounding is asked for on 0 and 1 only."""
    task = TASKS.load("half")()
    report = check("exact", tasks=[task], settings=SHORT, seeds=1, workers=0)
    [found] = [f for f in report.tasks[0].findings if f.check == "identifiable"]
    assert found.figure == 3


@pytest.mark.parametrize("name", ["images", "echo"])
def test_leaks_of_images_and_echoes_are_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images = load_images("digits")
    setting = Setting(SolverSpec("mlp"), SMALL, images, Training())
    [found] = [f for f in leak.run(setting, "mapping") if f.check == f"leak/{name}"]
    assert (found.status, found.figure) == ("pass", 0.0)
    if name == "images":
        setting = replace(setting, images=replace(images, test=images.validation))
    else:
        monkeypatch.setattr(
            leak_module, "score", lambda answers, given, *rest: score(answers, np.zeros_like(given), *rest)
        )
    [found] = [f for f in leak.run(setting, "mapping") if f.check == f"leak/{name}"]
    assert found.status == "fail"
    assert found.figure is not None
    assert found.figure > 0


@pytest.mark.parametrize(
    ("solver", "cause"),
    [("HangsInTraining", "time limit"), ("ExitsInTraining", "exit status 3"), ("DiesInTraining", "SIGKILL"),
     ("ExhaustsMemoryInTraining", "memory limit")],
)  # fmt: skip
def test_a_deadly_solver_costs_its_trials_and_the_suite_goes_on(solver: str, cause: str) -> None:
    limits = Limits(8.0 if "time" in cause else 60.0, 2.0)  # the others take a moment
    tiny = {"training.puzzles": 48, "training.epochs": 2, "training.batch": 1}  # 96 steps, of one puzzle each
    report = check(
        f"gallery_trained:{solver}", tasks=[SMALL], settings=tiny, seeds=1, workers=2, limits=limits
    )
    task = report.tasks[0]
    broken = [o for o in task.outcomes if o.error]
    assert {o.role for o in broken} == {"grounding", "reasoning"}
    assert all(cause in (o.error or "") for o in broken)
    assert {o.role for o in task.outcomes if not o.error} == {"baseline", "ceiling"}
    assert cause in task.judgement.reason


def test_answers_that_are_guessed_beside_a_ceiling_at_chance_ground_nothing() -> None:
    """A learning rate at which perception never learns to tell 0 from 1, with labels either."""
    settings = {"puzzles": 64, "epochs": 2, "batch": 16, "perception_rate": 0.1}
    report = check("mlp", tasks=["parity"], settings=settings, seeds=2, workers=0)
    [task] = report.tasks
    assert (task.judgement.verdict, task.judgement.grounded) == ("INCONCLUSIVE", 0)
    assert "nothing can be held against the ceiling" in task.judgement.reason
    assert [f.status for f in task.findings if f.check == "ceiling"] == ["inconclusive"]
    assert report.exit_code != 0
