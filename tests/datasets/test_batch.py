from dataclasses import replace

import numpy as np
import torch

from groundcheck.datasets.batch import Examples, assemble
from groundcheck.datasets.images import load_images
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.datasets.task import Puzzles


def boards(**settings: str) -> tuple[Examples, np.ndarray, np.ndarray]:
    task = Sudoku(**settings)
    puzzles = task.generate("train", 12, 0)
    examples, sealed = assemble(task, puzzles, load_images("digits").train)
    return examples, sealed.solution.numpy(), puzzles.given


def test_the_answer_holds_the_queries_and_nothing_else() -> None:
    examples, solution, given = boards()
    assert np.array_equal(examples.answer.numpy(), np.where(given, -1, solution))
    assert (examples.symbols == -1).all()


def test_leaky_supervision_puts_the_givens_into_the_answer() -> None:
    examples, solution, _ = boards(supervision="leaky")
    assert np.array_equal(examples.answer.numpy(), solution)


def test_seen_as_symbols_the_givens_are_told_and_no_image_is_shown() -> None:
    examples, solution, given = boards(seen="symbols")
    assert (examples.image == -1).all()
    assert np.array_equal(examples.symbols.numpy(), np.where(given, solution, -1))
    assert len(examples.batch(slice(0, 4)).images) == 0


def test_images_show_the_symbols_of_the_givens() -> None:
    examples, solution, given = boards()
    image = examples.image.numpy()
    assert np.array_equal(image >= 0, given)
    labels = load_images("digits").train.labels
    assert np.array_equal(labels[image[given]], solution[given] + 1)  # symbol 0 is shown by digit 1


def test_an_image_that_occurs_twice_is_in_the_batch_once() -> None:
    task = Mapping(bijection="identity")
    bank = load_images("digits").train
    puzzles = Puzzles(
        np.array([[3, 3], [5, 5], [3, 3]], np.int8),
        np.array([[True, False]] * 3),
        np.array([[7, -1], [7, -1], [7, -1]], np.int32),
    )
    batch = assemble(task, puzzles, bank)[0].batch(torch.arange(3))
    assert len(batch.images) == 2
    assert batch.place[:, 1].tolist() == [-1, -1, -1]
    assert batch.place[0, 0] == batch.place[2, 0] != batch.place[1, 0]
    shown = batch.images[batch.place[1, 0]]
    row = bank.find(np.array([5]), np.array([7]))
    assert torch.equal(shown, bank.gallery.gather(torch.from_numpy(row))[0])


def test_what_trains_holds_no_label_of_a_given() -> None:
    """The information barrier: with other labels at the givens, everything a trainer reaches is the same."""
    task = Sudoku()
    puzzles = task.generate("train", 12, 0)
    bank = load_images("digits").train
    examples, _ = assemble(task, puzzles, bank)
    tensors = {name: value for name, value in vars(examples).items() if isinstance(value, torch.Tensor)}
    assert set(vars(examples)) == {"gallery", *tensors}
    assert set(vars(examples.gallery)) == {"pictures"}
    other = replace(puzzles, solution=np.where(puzzles.given, (puzzles.solution + 1) % 4, puzzles.solution))
    relabelled, _ = assemble(task, other, bank)
    assert torch.equal(relabelled.answer, examples.answer)
    assert torch.equal(relabelled.symbols, examples.symbols)
    assert torch.equal(relabelled.given, examples.given)


def test_parts_keep_to_both_limits_and_leave_nothing_out() -> None:
    examples, _, given = boards()
    shown = given.sum(1)
    for puzzles, images in ((5, 10_000), (100, 2 * int(shown.max())), (100, 1)):
        parts = list(examples.parts(puzzles, images))
        assert np.concatenate([np.arange(12)[rows] for rows in parts]).tolist() == list(range(12))
        assert max(rows.stop - rows.start for rows in parts) <= puzzles
        assert all(rows.stop - rows.start == 1 or shown[rows].sum() <= images for rows in parts)
    assert [rows.stop - rows.start for rows in examples.parts(5, 10_000)] == [5, 5, 2]
    assert len(list(examples.parts(100, 1))) == 12  # a puzzle that shows more stands alone
    symbols, *_ = boards(seen="symbols")
    assert list(symbols.parts(100, 1)) == [slice(0, 12)]
