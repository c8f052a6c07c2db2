from dataclasses import replace

import numpy as np
import pytest

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.errors import UsageError
from groundcheck.datasets.image_source import ImageSource
from groundcheck.grounding.engines.pairs import run_trials
from groundcheck.grounding.measures.interventions import answers_possible
from groundcheck.grounding.measures.robustness import RATES, SUITES
from groundcheck.grounding.results.run_directory import key_of
from groundcheck.grounding.suite.settings import apply_evaluation_settings
from groundcheck.grounding.trials.beyond import list_worlds, possible_symbols
from groundcheck.grounding.trials.corrupted import (
    CorruptedBoards,
    boards_within,
    compact,
    corrupt_boards,
    require_givens,
    suites_of,
)
from groundcheck.grounding.trials.evaluation import Evaluation
from groundcheck.grounding.trials.run import run_trial
from groundcheck.grounding.trials.scoring import make_evaluation_set
from groundcheck.grounding.trials.session import LocalSession
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Trial

SUDOKU = TASKS.load("sudoku")()
SHORT = Training(puzzles=64, epochs=1)
USUAL = Trial(
    task=SUDOKU,
    solver=SolverSpec("exact"),
    role="grounding",
    seed=0,
    training=SHORT,
    validation_puzzles=16,
    test_puzzles=32,
)
ASKED = replace(USUAL, evaluation=Evaluation(robust=True, wrong=2))


def corrupted(evaluation: Evaluation = ASKED.evaluation, task=SUDOKU) -> CorruptedBoards:
    images = ImageSource("digits").load()
    test = make_evaluation_set(task, "test", 32, 0, images)
    found = corrupt_boards(test, evaluation, SHORT, 0)
    assert found is not None
    return found


def test_nothing_that_is_measured_on_the_test_set_changes() -> None:
    """Bit by bit: training, curve, scores, interventions; and keys of trials that are asked nothing more."""
    without, with_it = run_trial(USUAL), run_trial(ASKED)
    assert with_it.error is None
    assert without.beyond is None
    assert with_it.beyond is not None
    assert replace(with_it, seconds=0.0, beyond=None) == replace(without, seconds=0.0)
    assert key_of(USUAL) != key_of(ASKED)
    assert key_of(replace(USUAL, evaluation=Evaluation())) == key_of(USUAL)


def test_wherever_it_is_scored_it_is_the_same() -> None:
    here = run_trial(ASKED)
    told = []
    run_trials([ASKED], 2, lambda _, outcome: told.append(outcome))
    assert told[0].error is None
    assert told[0].beyond == here.beyond


def test_a_board_is_the_same_in_every_suite_and_corruption_only_grows() -> None:
    boards = corrupted()
    given = boards.chosen.examples.given.numpy()
    image = boards.chosen.examples.image.numpy()
    clean = {int(b): row for row, b in enumerate(boards.origin) if boards.rate[row] == 0}
    assert len(clean) == 8
    for number, suite in enumerate(SUITES):
        for origin, first in clean.items():
            before = np.zeros(16, dtype=bool)
            for rate in RATES[1:]:
                [row] = np.flatnonzero(
                    (boards.suite == number) & (boards.rate == rate) & (boards.origin == origin)
                )
                struck = (image[row] != image[first]) | (given[row] != given[first])
                assert not (before & ~struck).any()
                assert not (struck & ~given[first]).any()
                assert (given[row] == given[first]).all() != (suite.startswith("drop") and struck.any())
                facts = boards.facts[row] >= 0
                told_less = suite.startswith("drop") or suite == "ood-class"
                assert (facts == (given[first] & ~struck if told_less else given[first])).all()
                before = struck
    assert (boards.chosen.examples.answer == -1).all()


def test_each_rate_is_met_on_average() -> None:
    boards = corrupted()
    given = boards.chosen.examples.given.numpy()
    image = boards.chosen.examples.image.numpy()
    clean = {int(b): row for row, b in enumerate(boards.origin) if boards.rate[row] == 0}
    for rate in RATES[1:]:
        shares = []
        for row in np.flatnonzero(boards.rate == rate):
            first = clean[int(boards.origin[row])]
            struck = (image[row] != image[first]) | (given[row] != given[first])
            shares.append(struck.sum() / given[first].sum())
        assert np.mean(shares) == pytest.approx(rate, abs=0.06)


def test_ends_middles_rows_and_blocks_vanish_whole() -> None:
    boards = corrupted()
    given = boards.chosen.examples.given.numpy()
    clean = {int(b): row for row, b in enumerate(boards.origin) if boards.rate[row] == 0}
    for row in np.flatnonzero(boards.rate == 0.4):
        suite, first = SUITES[boards.suite[row]], given[clean[int(boards.origin[row])]]
        own = np.flatnonzero(first)
        gone = ~given[row][own]
        if suite == "drop-start":
            assert not (np.diff(gone.astype(int)) > 0).any()
        if suite == "drop-end":
            assert not (np.diff(gone.astype(int)) < 0).any()
        if suite == "drop-middle":
            assert gone[0] <= gone[len(gone) // 2]
        for name, key in (("drop-row", own // 4), ("drop-block", 2 * (own // 8) + own % 4 // 2)):
            if suite == name:
                assert all(len({*gone[key == one]}) == 1 for one in np.unique(key))


def test_wrong_givens_show_another_symbol_and_so_many_of_them() -> None:
    boards = corrupted(Evaluation(wrong=2))
    assert (boards.wrong.sum(axis=1) == 2).all()
    assert set(boards.rate) == {-1.0}
    images = ImageSource("digits").load()
    pictures = boards.chosen.bank.gallery.pictures.numpy()
    known = {p.tobytes(): int(label) for p, label in zip(
        images.test.gallery.pictures.numpy(), images.test.labels, strict=True)}  # fmt: skip
    place = boards.chosen.examples.image.numpy()
    solution = boards.chosen.sealed.solution.numpy()
    shown = np.array([known[pictures[i].tobytes()] - 1 for i in place[boards.wrong]])
    assert (shown != solution[boards.wrong]).all()
    assert ((shown >= 0) & (shown < 4)).all()


def test_which_suites_fit_a_task() -> None:
    mapping = TASKS.load("mapping")()
    shown = mapping.generate("test", 4, 0).picture >= 0
    assert suites_of(mapping, shown) == ("drop", "noise", "occlude", "blur", "slant", "swap", "ood-class")
    assert suites_of(SUDOKU, SUDOKU.generate("test", 4, 0).picture >= 0) == SUITES


def test_boards_are_as_many_as_a_trial_affords() -> None:
    assert boards_within(Training(puzzles=10, epochs=1), 12) == 8
    assert boards_within(Training(puzzles=600, epochs=15), 12) == 39
    assert boards_within(Training(puzzles=10_000, epochs=100), 12) == 128


def test_a_compact_bank_shows_the_same() -> None:
    chosen = make_evaluation_set(SUDOKU, "ood", 20, 0, ImageSource("digits").load())
    less = compact(chosen)
    assert len(less.bank.gallery) < len(chosen.bank.gallery)
    for kept, old in ((less, chosen), (chosen, less)):
        assert (kept.examples.batch(slice(0, 20)).images.sum() > 0).item()
        assert (kept.examples.given == old.examples.given).all()
    place, before = less.examples.image.numpy(), chosen.examples.image.numpy()
    assert ((place < 0) == (before < 0)).all()
    shown = before >= 0
    assert (less.bank.labels[place[shown]] == chosen.bank.labels[before[shown]]).all()
    assert (less.bank.gallery.pictures[place[shown]] == chosen.bank.gallery.pictures[before[shown]]).all()


def test_held_out_answers_stay_sealed() -> None:
    session = LocalSession(ASKED)
    assert set(session.held_out) == {"validation", "test", "ood", "corrupted"}
    assert all((examples.answer == -1).all() for examples in session.held_out.values())
    assert set(LocalSession(USUAL).held_out) == {"validation", "test"}


@pytest.mark.parametrize("wrong", [-1, 1.5, True, "two"])
def test_numbers_of_wrong_givens_that_cannot_be_meant(wrong) -> None:
    with pytest.raises(UsageError, match=r"a whole number|0 or more"):
        apply_evaluation_settings({"wrong": wrong}, robust=False)


def test_the_setting_of_wrong_givens_is_taken_from_the_others() -> None:
    found = apply_evaluation_settings({"wrong": 2, "size": 4}, robust=True)
    assert found == ({"size": 4}, Evaluation(robust=True, wrong=2))


def test_more_wrong_givens_than_there_are() -> None:
    with pytest.raises(UsageError, match="wrong=12: a board of sudoku shows at most 9"):
        require_givens(SUDOKU, Evaluation(wrong=12))
    require_givens(SUDOKU, Evaluation(wrong=5))


def test_the_control_on_symbols_has_no_images_to_corrupt() -> None:
    outcome = run_trial(replace(ASKED, role="reasoning"))
    assert outcome.error is None
    assert outcome.beyond is not None
    assert outcome.beyond.robustness is None
    assert outcome.beyond.ood is not None
    assert outcome.beyond.ood.raw is None
    assert outcome.beyond.clean is not None


def test_the_ceiling_answers_by_the_exact_rules_out_of_distribution() -> None:
    outcome = run_trial(replace(ASKED, role="ceiling"))
    assert outcome.beyond is not None
    ood = outcome.beyond.ood
    assert ood is not None
    assert ood.task == ood.read
    assert ood.puzzles == 32


def test_what_is_possible_by_table_is_what_is_possible_by_search() -> None:
    problem = SUDOKU.problem
    table = list_worlds(problem)
    assert table is not None
    puzzles = SUDOKU.generate("ood", 40, 1)
    rng = np.random.default_rng(0)
    facts = np.where(puzzles.given & (rng.random(puzzles.given.shape) < 0.6), puzzles.solution, -1).astype(
        np.int64
    )
    answered = np.where(rng.random(facts.shape) < 0.3, rng.integers(0, 4, facts.shape), puzzles.solution)
    answered = answered.astype(np.int64)
    asked = facts < 0
    fits = np.take_along_axis(possible_symbols(table, 4, facts), answered[..., None], -1)[..., 0]
    by_table = (fits | ~asked).all(axis=1)
    assert (by_table == answers_possible(problem, facts, answered, asked)).all()
    assert 0 < by_table.sum() < len(by_table)
    whole = np.where(asked, puzzles.solution, facts).astype(np.int64)
    assert answers_possible(problem, facts, whole, asked).all()


def test_a_symbol_that_a_variable_cannot_take_is_impossible() -> None:
    addition = TASKS.load("addition")()
    solution = addition.generate("test", 2, 0).solution.astype(np.int64)
    asked = np.tile([False, False, True, True], (2, 1))
    answered = solution.copy()
    answered[1, 2] = 7  # the sum leads with 0 or 1
    found = answers_possible(addition.problem, np.where(asked, -1, solution), answered, asked)
    assert found.tolist() == [True, False]
    assert list_worlds(TASKS.load("sudoku")(size=9).problem) is None
