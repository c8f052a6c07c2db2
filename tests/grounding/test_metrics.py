import numpy as np
import pytest

from groundcheck.grounding.metrics import (
    best_relabelling,
    collapse,
    confusion_matrix,
    grounding_accuracy,
    relabel,
    score,
)


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
