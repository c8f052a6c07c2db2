"""What is said of predictions: verdicts, figures, and what cannot be said."""

import numpy as np
import pytest
import torch
from predicted import IMAGES, PUZZLES, SYMBOLS, predicted, without

from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.grounding import Report, score


def seeds(count: int, **how: object) -> list[dict[str, object]]:
    return [predicted(seed, **how) for seed in range(count)]  # type: ignore[arg-type]


def verdict(report: Report) -> str:
    return report.tasks[0].judgement.verdict


def reason(report: Report) -> str:
    return report.tasks[0].judgement.reason


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({}, "GROUNDED"),
        ({"moved": 2}, "GROUNDED"),
        ({"read": 0.3}, "SHORTCUT"),
        ({"answered": 0.3}, "NOT REASONING"),
        ({"read": 0.3, "answered": 0.3}, "UNGROUNDED"),
    ],
)
def test_the_table_of_verdicts(how: dict[str, float], told: str) -> None:
    report = score(*seeds(6, **how), ceiling=0.99)
    assert verdict(report) == told
    assert report.exit_code == (0 if told == "GROUNDED" else 1)


def test_symbols_under_other_names_are_a_shortcut_where_the_rules_name_them() -> None:
    for ceiling in (0.99, None):
        assert verdict(score(*seeds(2, moved=2), rules="given", ceiling=ceiling)) == "SHORTCUT"
    assert verdict(score(*seeds(6), rules="given")) == "GROUNDED"


@pytest.mark.parametrize(
    "how", [{"read": 0.2, "answered": 0.11}, {"read": 0.2}, {"answered": 0.4}, {"read": 0.9}]
)
def test_without_a_ceiling_only_success_is_told(how: dict[str, float]) -> None:
    report = score(*seeds(6, **how))
    assert verdict(report) == "INCONCLUSIVE"
    assert report.exit_code == 3
    assert "no ceiling is known" in reason(report)
    assert "--ceiling" in report.tasks[0].judgement.remedy


def test_without_a_ceiling_success_needs_nothing_else() -> None:
    report = score(*seeds(6))
    assert verdict(report) == "GROUNDED"
    assert report.tasks[0].scores("ceiling") == []


def test_chance_is_never_grounded_whatever_the_ceiling() -> None:
    """Answers that a guess reaches, and readings that always say the same."""
    made = [without(predicted(seed, read=1.0), "beliefs") for seed in range(6)]
    for arrays in made:
        arrays["symbols"] = np.zeros(IMAGES)
    assert verdict(score(*made, ceiling=0.21)) != "GROUNDED"


def test_few_seeds_do_not_decide() -> None:
    report = score(*seeds(5), ceiling=0.99)
    assert verdict(report) == "INCONCLUSIVE"
    assert "more seeds" in report.tasks[0].judgement.remedy


def test_figures_are_those_of_the_arrays() -> None:
    arrays = predicted(read=0.9, answered=0.7, moved=1)
    fit = np.zeros(IMAGES, dtype=bool)
    fit[::2] = True
    arrays["fit"] = fit
    [scores] = score(arrays).tasks[0].scores("grounding")
    read = arrays["beliefs"].argmax(-1)
    assert scores.images == (~fit).sum()
    assert scores.raw == pytest.approx((read == arrays["true"])[~fit].mean())
    assert scores.aligned == pytest.approx(((read - 1) % SYMBOLS == arrays["true"])[~fit].mean())
    assert np.array(scores.confusion).sum() == (~fit).sum()
    assert scores.task == pytest.approx((arrays["answers"] == arrays["solution"])[:, 2].mean())
    assert scores.cell == scores.task
    assert scores.board == pytest.approx(0.0, abs=0.05)  # raw readings are never those
    assert scores.collapse == 0.0
    assert scores.calibration is not None
    assert sum(scores.calibration.images) == (~fit).sum()
    assert set(scores.intervals) == {"task", "cell", "board", "read", "raw", "aligned"}
    assert scores.puzzles == PUZZLES


def test_the_relabelling_is_fitted_on_the_marked_half_alone() -> None:
    """Names that hold in the other half alone do not help."""
    arrays = without(predicted(read=1.0), "beliefs")
    fit = np.arange(IMAGES) < IMAGES // 2
    arrays |= {"fit": fit, "symbols": np.where(fit, arrays["true"], (arrays["true"] + 1) % SYMBOLS)}
    [scores] = score(arrays).tasks[0].scores("grounding")
    assert scores.relabelling == list(range(SYMBOLS))
    assert scores.aligned == 0.0


def test_a_half_that_is_drawn_is_told_and_always_the_same() -> None:
    first, again = score(predicted()), score(predicted())
    assert first.as_dict() == again.as_dict()
    assert "half of the images that was drawn here" in reason(first)
    marked = score({**predicted(), "fit": np.arange(IMAGES) % 2})
    assert "drawn" not in reason(marked)


def test_readings_alone() -> None:
    report = score(*[without(a, "solution", "given", "answers", "image") for a in seeds(6)], ceiling=0.99)
    assert verdict(report) == "INCONCLUSIVE"
    assert report.tasks[0].mean("grounding", "task") is None
    assert report.tasks[0].mean("grounding", "aligned") == pytest.approx(0.99, abs=0.01)
    assert "nothing was answered, so nothing can be said of reasoning" in reason(score(report_of_readings()))
    assert "solution" in report.tasks[0].judgement.remedy


def report_of_readings() -> dict[str, object]:
    return without(predicted(), "solution", "given", "answers", "image")


def test_answers_alone() -> None:
    report = score(without(predicted(), "true", "beliefs", "image"))
    assert verdict(report) == "INCONCLUSIVE"
    assert report.tasks[0].mean("grounding", "aligned") is None
    assert report.tasks[0].mean("grounding", "task") == pytest.approx(0.98, abs=0.03)
    assert "nothing was read, so nothing can be said of grounding" in reason(report)
    assert "symbols" in report.tasks[0].judgement.remedy


def test_answers_as_beliefs_and_unsolved_rows() -> None:
    arrays = predicted(answered=1.0)
    beliefs = np.eye(2 * SYMBOLS - 1)[arrays["answers"].clip(0)]
    beliefs[:20] = np.nan
    [scores] = score({**arrays, "answers": beliefs}).tasks[0].scores("grounding")
    assert scores.unsolved == pytest.approx(20 / PUZZLES)
    assert scores.task == pytest.approx(1 - 20 / PUZZLES)
    whole = arrays["answers"].copy()
    whole[:20] = -1
    [same] = score({**arrays, "answers": whole}).tasks[0].scores("grounding")
    assert (same.task, same.unsolved) == (scores.task, scores.unsolved)


def test_tensors_lists_and_other_dtypes_are_the_same_numbers() -> None:
    arrays = predicted(soft=False)
    plain = score(arrays).as_dict()["tasks"]
    assert score({name: torch.tensor(array) for name, array in arrays.items()}).as_dict()["tasks"] == plain
    assert score({name: array.tolist() for name, array in arrays.items()}).as_dict()["tasks"] == plain
    assert (
        score({name: array.astype(np.float32) for name, array in arrays.items()}).as_dict()["tasks"] == plain
    )


def sudoku(seed: int = 0) -> dict[str, object]:
    task = Sudoku()
    puzzles = task.generate("test", 50, seed)
    true = np.arange(40) % 4
    image = np.full(puzzles.solution.shape, -1)
    image[puzzles.given] = puzzles.solution[puzzles.given] + 4 * (puzzles.picture[puzzles.given] % 10)
    return {
        "true": true, "symbols": true, "solution": puzzles.solution, "given": puzzles.given, "image": image,
        "answers": puzzles.solution,
    }  # fmt: skip


def test_a_task_gives_its_rules_and_its_layout() -> None:
    report = score(sudoku(), task="sudoku")
    [task] = report.tasks
    assert (task.task, task.version) == ("sudoku", Sudoku.version)
    assert task.mean("grounding", "task") == 1.0
    broken = sudoku()
    broken["solution"] = np.roll(np.asarray(broken["solution"]), 1, axis=1)
    with pytest.raises(
        UsageError, match=r"seed 0: the solution of puzzle 0 breaks the rules of sudoku \(.*size=4"
    ):
        score(without(broken, "true", "symbols", "image"), task="sudoku")
    with pytest.raises(UsageError, match="`solution` has 16 variables, and sudoku has 81: set the task"):
        score(sudoku(), task=Sudoku(size=9))
    with pytest.raises(UsageError, match="`beliefs` are about 5 symbols, and sudoku shows 4"):
        score({**without(sudoku(), "symbols"), "beliefs": np.full((40, 5), 0.2)}, task="sudoku")


def test_a_task_that_draws_part_of_itself_is_that_of_each_seed() -> None:
    made: list[dict[str, object]] = []
    for seed in range(2):
        solution = Mapping().drawn(seed).generate("test", 30, seed).solution
        made.append({"solution": solution, "given": np.tile([True, False], (30, 1)), "answers": solution})
    assert score(*made, task="mapping").tasks[0].mean("grounding", "task") == 1.0
    with pytest.raises(UsageError, match="breaks the rules of mapping"):
        score(*made[::-1], task="mapping")


def test_a_baseline_stands_beside() -> None:
    report = score(*seeds(2), ceiling=0.99, baseline=seeds(2, read=0.3, answered=0.5))
    assert report.tasks[0].mean("baseline", "task") == pytest.approx(0.5, abs=0.1)
    assert "baseline" in {finding.check for finding in report.tasks[0].findings}
    with pytest.raises(UsageError, match="1 baselines for 2 seeds"):
        score(*seeds(2), baseline=predicted(7))


def test_nothing_to_judge() -> None:
    with pytest.raises(UsageError, match="no predictions to judge"):
        score()
    with pytest.raises(UsageError, match="rules='known': it is learned or given"):
        score(predicted(), rules="known")
