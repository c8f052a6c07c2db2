import numpy as np
import pytest

from groundcheck.grounding.measures.metrics import (
    Scores,
    admissible_accuracy,
    best_relabelling,
    board_intervals,
    collapse,
    confusion_matrix,
    grounding_accuracy,
    guess_answers,
    guess_readings,
    image_intervals,
    relabel,
    score,
)
from groundcheck.grounding.measures.statistics import clustered_interval, wilson_interval


def test_grounding_accuracy_raw_and_after_the_best_relabelling() -> None:
    true = np.array([0, 0, 1, 1, 2, 2])
    confusion = confusion_matrix(true, (true + 1) % 3, 3)
    assert grounding_accuracy(confusion) == 0
    relabelling = best_relabelling(confusion)
    assert relabelling.tolist() == [2, 0, 1]
    assert grounding_accuracy(relabel(confusion, relabelling)) == 1


def test_a_relabelling_is_one_to_one() -> None:
    # Both symbols are read as 0: no renaming may count them both as right.
    confusion = confusion_matrix(np.array([0, 0, 1, 1]), np.zeros(4, dtype=int), 2)
    assert grounding_accuracy(relabel(confusion, best_relabelling(confusion))) == 0.5
    assert collapse(confusion) == 0.5


def test_a_symbol_that_was_read_once_is_one_that_is_predicted() -> None:
    assert collapse(np.array([[7, 1, 0], [3, 0, 0], [5, 0, 0]])) == pytest.approx(1 / 3)


def test_alignment_is_fitted_on_validation_and_scored_on_test() -> None:
    # Validation images suggest an exchange that the test images refute.
    exchange, straight = np.array([[0, 9], [9, 0]]), np.array([[8, 0], [0, 8]])
    one = np.zeros((1, 1, 2))
    given = np.array([[False]])
    scores = score(one, given, np.array([[0]]), np.array([[True]]), exchange, straight)
    assert (scores.raw, scores.aligned) == (1.0, 0.0)
    assert scores.relabelling == [1, 0]


@pytest.fixture
def board() -> dict[str, np.ndarray]:
    """Three puzzles of a given and two queries over two symbols; the true symbol is 1 throughout."""
    completion = np.zeros((3, 3, 2))
    completion[:, :, 1] = 1
    given = np.array([[True, False, False]] * 3)
    return {
        "completion": completion,
        "given": given,
        "solution": np.ones((3, 3), dtype=int),
        "read_right": np.ones((3, 3), dtype=bool),
    }


def test_one_wrong_query_spoils_the_puzzle_and_one_cell(board: dict) -> None:
    board["completion"][0, 1] = [1, 0]
    scores = score(**board)
    assert scores.task == pytest.approx(2 / 3)
    assert scores.cell == pytest.approx(5 / 6)


def test_a_puzzle_read_wrong_spoils_the_board_but_not_the_task(board: dict) -> None:
    board["read_right"][0, 0] = False
    scores = score(**board)
    assert (scores.task, scores.board, scores.read) == (1.0, pytest.approx(2 / 3), pytest.approx(2 / 3))


def test_an_unsolved_row_counts_as_wrong_and_as_unsolved(board: dict) -> None:
    board["completion"][1, 2] = np.nan
    scores = score(**board)
    assert scores.task == scores.task == pytest.approx(2 / 3)
    assert scores.unsolved == pytest.approx(1 / 3)


def test_what_is_returned_at_the_givens_is_never_scored(board: dict) -> None:
    before = score(**board)
    board["completion"][:, 0] = np.nan
    assert score(**board) == before


def test_without_images_there_is_no_grounding_to_score(board: dict) -> None:
    scores = score(**board)
    assert (scores.raw, scores.aligned, scores.collapse, scores.confusion) == (None, None, None, None)
    images = np.eye(2, dtype=np.int64)
    assert score(**board, validation=images) == score(**board, test=images) == scores


def test_what_puzzles_leave_open_counts_as_read() -> None:
    confusion = np.array([[1, 9, 0], [4, 6, 0], [3, 0, 7]])
    possible = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=bool)
    assert admissible_accuracy(confusion, possible) == 27 / 30
    assert admissible_accuracy(confusion, np.eye(3, dtype=bool)) == 14 / 30


def boards_read(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Sixty puzzles of three givens, one of them without an image, and two queries; they share 30 images."""
    given = np.array([[True, True, True, False, False]] * 60)
    solution = rng.integers(0, 2, (60, 5))
    wrong = (rng.random((60, 5)) < 0.2) | (np.arange(60) < 6)[:, None]
    completion = np.eye(2)[np.where(wrong & ~given, 1 - solution, solution)]
    completion[59, 3] = np.nan
    shown = given & (np.arange(5) < 2)
    image = np.where(shown, rng.integers(0, 30, (60, 5)), -1)
    return {"completion": completion, "given": given, "solution": solution, "image": image}


def test_intervals_are_of_puzzles_that_share_their_images() -> None:
    rng = np.random.default_rng(0)
    boards = boards_read(rng)
    image = boards["image"]
    read = (rng.random((60, 5)) < 0.7) | (image < 0)
    found = board_intervals(**boards, read_right=read)
    right = boards["completion"][:, 3:].argmax(-1) == boards["solution"][:, 3:]
    right[59] = False
    whole, twice = np.ones(60), np.full(60, 2.0)
    assert found["task"] == clustered_interval(right.all(1).astype(float), whole, image)
    assert found["cell"] == clustered_interval(right.sum(1).astype(float), twice, image)
    assert found["read"] == clustered_interval(read.all(1).astype(float), whole, image)
    both = right.all(1) & read.all(1)
    assert found["board"] == clustered_interval(both.astype(float), whole, image)
    for name, mean in (("task", right.all(1)), ("cell", right), ("read", read.all(1))):
        assert found[name][0] < mean.mean() < found[name][1]


def test_without_images_there_are_intervals_of_answers_alone() -> None:
    boards = boards_read(np.random.default_rng(1))
    boards["image"] = np.full((60, 5), -1)
    found = board_intervals(**boards, read_right=np.ones((60, 5), dtype=bool))
    assert found.keys() == {"task", "cell"}


def test_intervals_of_readings_are_of_the_images_each_once() -> None:
    scores = Scores(1.0, 1.0, 1.0, 0.0, 1.0, 3, raw=0.25, aligned=0.75, images=40)
    assert image_intervals(scores) == {"raw": wilson_interval(10, 40), "aligned": wilson_interval(30, 40)}
    assert image_intervals(Scores(1.0, 1.0, 1.0, 0.0, 1.0, 3)) == {}


def test_a_single_symbol_that_is_no_number_leaves_its_puzzle_unsolved(board: dict) -> None:
    board["completion"][1, 2, 0] = np.nan
    scores = score(**board)
    assert scores.unsolved == pytest.approx(1 / 3)
    assert scores.task == pytest.approx(2 / 3)
    assert scores.cell == pytest.approx(4 / 6)


def test_the_best_guess_at_an_answer_is_the_better_of_two() -> None:
    """Query by query the most frequent symbols are 1 and 0, as a whole 0 and 0."""
    known = np.array([[-1, 0, 0], [-1, 0, 0], [-1, 1, 0], [-1, 1, 2], [-1, 1, 1], [-1, 2, 1], [-1, 2, 1]])
    given = np.array([[True, False, False]] * 4)
    solution = np.array([[3, 1, 0], [3, 0, 0], [3, 0, 0], [3, 1, 1]])
    assert guess_answers(known, solution, given) == 0.5  # as a whole; query by query it would be 1 of 4
    singles = np.array([[3, 1, 0], [3, 1, 0], [3, 1, 0], [3, 0, 0]])
    assert guess_answers(known, singles, given) == 0.75
    assert guess_answers(known, singles, np.ones_like(given)) == 1.0  # nothing is asked


def test_the_best_guess_at_readings_is_one_symbol_throughout() -> None:
    symbol = np.array([[0, 0, -1], [0, 1, -1], [0, 0, -1], [1, -1, -1]])
    read, aligned = guess_readings(symbol, np.array([[30, 0], [5, 5]]))
    assert (read, aligned) == (0.5, 0.75)
    assert guess_readings(np.array([[0, 1]]), np.array([[1, 0], [0, 1]])) == (0.25, 0.5)  # at random
