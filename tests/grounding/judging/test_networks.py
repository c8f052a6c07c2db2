"""Networks trained elsewhere: what they are asked, what is said of them, and what they must not return."""

import networks
import numpy as np
import pytest
import torch
from networks import TASK

from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.futoshiki import Futoshiki
from groundcheck.grounding import Report, judge
from groundcheck.grounding.engines.children import Limits


def judged(*chosen: object, ceiling: float | None = 1.0, **how: object) -> Report:
    return judge(*chosen, **{"task": TASK, "puzzles": 60, "isolate": False, "ceiling": ceiling, **how})  # type: ignore[arg-type]


def statuses(report: Report) -> dict[str, str]:
    return {finding.check: finding.status for finding in report.tasks[0].findings}


def test_one_that_reads_and_answers_right() -> None:
    report = judged("networks:made")
    [task] = report.tasks
    assert (report.solver, report.images, task.task) == ("networks:made", "digits", "mapping")
    assert task.judgement.grounded == 1
    [scores] = task.scores("grounding")
    assert min(scores.task, scores.raw or 0, scores.aligned or 0) > 0.95
    assert scores.guessed_task == pytest.approx(1 / 3, abs=0.2)
    assert statuses(report)["ood"] == "pass"
    for told in ("on slanted images it answers", "no complete(beliefs, given): nothing was intervened on"):
        assert told in task.judgement.reason
    assert task.outcomes[0].interventions is None


def test_fewer_answers_out_of_distribution_are_told_and_fail_nobody() -> None:
    """The test puzzles are asked for first, in one batch; then those out of distribution."""
    found = networks.Good()
    calls: list[int] = []
    answer = found.answer

    def first_alone(*arrays: torch.Tensor) -> torch.Tensor:
        calls.append(len(arrays))
        return answer(*arrays) if len(calls) == 1 else answer(*arrays) * torch.nan

    found.answer = first_alone  # type: ignore[method-assign]
    report = judged(found)
    assert statuses(report)["ood"] == "inconclusive"
    assert report.tasks[0].judgement.grounded == 1


def test_where_puzzles_are_new_out_of_distribution_slanted_images_are_tried_as_well() -> None:
    report = judged(networks.sudoku(), task="sudoku", puzzles=40, rules="given")
    told = {finding.check: finding.reason for finding in report.tasks[0].findings}
    assert told["ood"].startswith("on puzzles of another kind it answers")
    assert told["robustness"].startswith("on slanted images it answers")
    assert told["robustness"] in report.tasks[0].judgement.reason
    upright, leaning = (
        next(finding.figure for finding in report.tasks[0].findings if finding.check == check)
        for check in ("ood", "robustness")
    )
    assert upright is not None
    assert leaning is not None
    assert leaning > upright  # what is lost: its nearest neighbours stand upright
    assert "robustness" not in statuses(judged("networks:made"))  # there ood is of slanted images


def test_an_interface_is_intervened_on_and_keeps_its_contract() -> None:
    report = judged(networks.Interfaced())
    [task] = report.tasks
    grounding = next(outcome for outcome in task.outcomes if outcome.role == "grounding")
    assert grounding.interventions is not None
    found = statuses(report)
    for check in ("shape", "dtype", "range", "finite", "deterministic", "rows", "queries", "listens"):
        assert found[f"contract/{check}"] == "pass"
    assert found["bypass/shuffle"] == found["bypass/permute"] == "pass"
    assert "complete" not in task.judgement.reason


def test_an_interface_that_breaks_the_contract_fails() -> None:
    report = judged(networks.Spoilt())
    assert statuses(report)["contract/rows"] == "fail"
    assert report.exit_code == 1


def test_an_interface_that_answers_do_not_come_through_is_not_intervened_on() -> None:
    report = judged(networks.Bypassing())
    assert not any(check.startswith("bypass") for check in statuses(report))
    assert "of the puzzles the same answer" in report.tasks[0].judgement.reason


def test_names_that_rules_do_not_allow_are_a_shortcut() -> None:
    """Read under other names, a solver that was given the rules answers wrongly: it does not reason here."""
    report = judged(networks.moved(), rules="given")
    assert report.tasks[0].judgement.failed == 1


def test_it_sees_images_places_and_givens_alone() -> None:
    looks = networks.Looks()
    judged(looks)
    assert {kind for kind, _ in looks.heard} == {"read", "answer"}
    for kind, arrays in looks.heard:
        images, *rest = arrays
        assert tuple(images.shape[1:]) == (1, 28, 28)
        assert 0 <= images.min() <= images.max() <= 1
        assert len(rest) == (0 if kind == "read" else 2)
        if rest:
            place, given = rest
            assert place.dtype == torch.int64
            assert given.dtype == torch.bool
            assert (place[~given] == -1).all()
            assert place.max() < len(images)


def test_givens_that_are_seen_as_symbols_are_a_fourth_argument() -> None:
    heard: list[torch.Tensor] = []
    task = Futoshiki()

    class Signs:
        def read(self, images: torch.Tensor) -> torch.Tensor:
            return torch.full((len(images), len(task.classes)), 1 / len(task.classes))

        def answer(self, images: object, place: object, given: torch.Tensor, symbols: torch.Tensor) -> object:
            heard.append(symbols)
            return np.full(tuple(given.shape), -1)

    report = judged(Signs(), task=task)
    assert report.tasks[0].mean("grounding", "unsolved") == 1.0
    assert all((symbols >= 0).any() for symbols in heard)


def test_answers_as_symbols_and_unsolved_rows() -> None:
    [scores] = judged(networks.Numbers()).tasks[0].scores("grounding")
    assert scores.unsolved == pytest.approx(1 / 60)
    assert scores.task > 0.9


def test_every_network_is_a_seed() -> None:
    report = judged(networks.Good(), networks.Interfaced(), seed=4)
    assert [o.seed for o in report.tasks[0].outcomes if o.role == "grounding"] == [4, 5]
    assert report.tasks[0].judgement.seeds == 2


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "Tuple",
            r"read\(…\) returned a tuple of 2, and it has to return one tensor or array: return one of them",
        ),
        (
            "Logits",
            r"what read\(…\) returned runs from .*, and probabilities lie in \[0, 1\]: take a softmax",
        ),
        ("NaNs", r"what read\(…\) returned holds NaN"),
        ("Wide", r"what read\(…\) returned is of shape \(\d+, 11\) where \(\d+, 3\) was expected"),
        ("Words", r"what answer\(…\) returned is of type <U5"),
        ("Objects", r"what answer\(…\) returned is of type object"),
        ("Listed", r"answer\(…\) returned a list, and it has to return one tensor or array"),
        ("Beyond", r"what answer\(…\) returned holds what is no symbol of mapping, 0 to 2"),
        ("Short", r"what answer\(…\) returned is of shape \(59, 2, 3\) where \(60, 2, 3\) was expected"),
        ("Asks", "is called without arguments, and asks for path"),
        ("crashes", "could not be made: RuntimeError: no checkpoint here"),
        ("bare", r"is a Linear without read\(…\) and answer\(…\): it needs read\(images\)"),
        ("one", r"is a int without read\(…\) and answer\(…\)"),
        ("np", r"is a module without read\(…\)"),
        ("missing", "module 'networks' has no attribute 'missing'"),
    ],
)
def test_what_it_must_not_be(name: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as raised:
        judged(f"networks:{name}")
    assert str(raised.value).startswith(f"network 'networks:{name}'")
    assert "\n" not in str(raised.value)


def test_one_that_raises_is_an_error_with_its_traceback() -> None:
    report = judged("networks:Raises")
    assert report.tasks[0].judgement.verdict == "ERROR"
    assert "out of ideas" in report.tasks[0].judgement.reason
    assert "networks.py" in (report.tasks[0].outcomes[0].error or "")
    assert report.exit_code == 1


def test_nothing_to_judge_or_twice_the_same() -> None:
    with pytest.raises(UsageError, match="no network to judge"):
        judged()
    with pytest.raises(UsageError, match="networks:Good is named twice: every seed counts once"):
        judged("networks:Good", "networks:Good")
    with pytest.raises(UsageError, match="seen=symbols: a network is judged by what it reads"):
        judged(networks.Good(), task=type(TASK)(symbols=3, bijection=(1, 2, 0), seen="symbols"))
    with pytest.raises(UsageError, match="puzzles=0"):
        judged(networks.Good(), puzzles=0)


def test_in_a_process_of_its_own_it_is_judged_the_same(capfd: pytest.CaptureFixture[str]) -> None:
    here, apart = (judged("networks:Interfaced", isolate=isolate) for isolate in (False, True))
    assert here.as_dict(timings=False)["tasks"] == apart.as_dict(timings=False)["tasks"]
    died = judged("networks:Ends", isolate=True, limits=Limits(60, 8))
    assert "ended itself with exit status 3" in died.tasks[0].judgement.reason
    late = judged("networks:asleep", isolate=True, limits=Limits(1, 8))
    assert "was ended after the time limit of 1 s" in late.tasks[0].judgement.reason
    told = capfd.readouterr()
    assert "the last words" not in told.out  # of the report
    with pytest.raises(UsageError, match=r"network 'networks:Tuple': read\(…\) returned a tuple of 2"):
        judged("networks:Tuple", isolate=True)
    with pytest.raises(UsageError, match=r"network 'networks:Objects'.*Python objects"):
        judged("networks:Objects", isolate=True)
