"""How an image set is divided, which classes show which symbols, and how it is called."""

import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from groundcheck.datasets.batch import assemble
from groundcheck.datasets.errors import UnknownNameError, UsageError
from groundcheck.datasets.image_address import Address, split_name
from groundcheck.datasets.image_set import drawn_test
from groundcheck.datasets.image_source import ImageSource, parse_classes
from groundcheck.datasets.images import load_images
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.pictures import Pictures
from groundcheck.datasets.sudoku import Sudoku

COLOURS = np.random.default_rng(0).integers(0, 256, (200, 3, 8, 8), np.uint8)
LABELS = np.arange(200) % 5
NAMES = ("red", "green", "blue", "7", "grey")


def colours() -> Pictures:
    return Pictures(COLOURS, LABELS, names=NAMES)


def test_a_class_is_called_by_its_name_unless_that_only_says_its_number() -> None:
    names = ("0 - zero", "1", "blue", "30", "4th")
    found = load_images("c", source=lambda: Pictures(COLOURS, LABELS, names=names))
    assert [found.called(label) for label in range(6)] == ["0", "1", "blue", "30", "4th", "5"]


def two_classes_are_scarce() -> Pictures:
    return Pictures(COLOURS[:60], np.repeat([0, 1, 2, 3], [25, 25, 8, 2]))


def test_a_callable_delivers_an_image_set_with_or_without_arguments() -> None:
    found = ImageSource.of(colours).load()
    assert (found.name, found.shape, found.names) == ("colours", (3, 8, 8), NAMES)
    taking = load_images("c", source=lambda root, download: colours())
    assert taking.digest == found.digest
    with pytest.raises(UsageError, match="images=3: name an image set, or pass a callable"):
        ImageSource.of(3)
    with pytest.raises(UnknownNameError, match="image set 'no_such_module:pictures'"):
        load_images("no_such_module:pictures")


def test_what_a_script_defines_is_told_to_no_other_process() -> None:
    assert ImageSource("digits").portable
    assert not ImageSource.of(lambda: Pictures(COLOURS, LABELS)).portable


def test_what_is_set_apart_is_so_many_of_each_class() -> None:
    loaded = load_images("c", source=colours)
    for part, count in ((loaded.test, 8), (loaded.validation, 3), (loaded.train, 29)):
        assert np.bincount(part.labels).tolist() == [count] * 5
    assert drawn_test(np.array([0, 1, 1]), by_class=True).tolist()[0] is False  # the only one is trained on


def test_a_class_with_too_few_pictures_is_told_where_a_task_shows_it() -> None:
    loaded = load_images("c", source=two_classes_are_scarce)
    loaded.require(Mapping(symbols=2))
    with pytest.raises(UsageError, match=r"training part has 5 of class 2, .* at least 8 are needed"):
        loaded.require(Mapping(symbols=3))
    with pytest.raises(UsageError, match=r"no picture of class 3, .* is in its validation part"):
        loaded.require(Mapping(symbols=4))


def test_chosen_classes_stand_for_the_symbols_in_order_and_others_are_left_out() -> None:
    source = ImageSource("c", source=colours, classes=("7", "blue", "0", "grey"))
    loaded = source.load()
    assert loaded.names == ("7", "blue", "red", "grey")
    assert sum(len(part.labels) for part in (loaded.train, loaded.validation, loaded.test)) == 160
    for task in (Mapping(symbols=4), Sudoku(size=4)):  # whose own classes begin at 0, and at 1
        loaded.require(task)
        puzzles = task.generate("train", 8, 0)
        examples, sealed = assemble(task, puzzles, loaded.train)
        shown = examples.image >= 0
        pictures = examples.gallery.pictures[examples.image[shown].long()].numpy()
        meant = [[3, 2, 0, 4][symbol] for symbol in sealed.solution[shown].tolist()]
        for picture, label in zip(pictures[:40], meant[:40], strict=True):
            assert LABELS[(picture == COLOURS).all((1, 2, 3))].tolist() == [label]


@pytest.mark.parametrize(
    ("classes", "told"),
    [
        ("red,gren,blue", "--classes gren: image set c has no such class: did you mean green"),
        ("red,9", "--classes 9: .* it has red, green, blue, 7, grey"),
        ("red,0", "--classes names class 0 twice"),
    ],
)
def test_classes_that_cannot_be_meant_are_refused(classes: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        ImageSource("c", source=colours, classes=parse_classes(classes)).load()


def test_how_classes_with_names_are_numbered_is_told_until_it_was_said() -> None:
    found = ImageSource("c", source=colours).load()
    assert found.naming.startswith(
        "classes are numbered in their order, 0 red, 1 green, 2 blue, 3 7, 4 grey;"
    )
    assert ImageSource("c", source=colours, classes=("red",)).load().naming == ""
    assert load_images("digits").naming == ""


def test_fewer_classes_than_symbols_are_refused() -> None:
    loaded = ImageSource("c", source=colours, classes=("red", "blue")).load()
    with pytest.raises(UsageError, match="--classes names 2 classes, and this task shows 4 symbols"):
        loaded.require(Mapping(symbols=4))


def test_the_classes_and_the_shape_are_part_of_the_digest() -> None:
    digests = {
        load_images("c", source=source, classes=classes).digest
        for source in (colours, lambda: Pictures(COLOURS.reshape(200, 3, 4, 16), LABELS, names=NAMES))
        for classes in ((), ("red", "green"), ("green", "red"))
    }
    assert len(digests) == 6


def test_sets_of_several_sizes_are_not_joined() -> None:
    with pytest.raises(UsageError, match=r"its parts are 1×28×28 and 3×8×8: join sets of one size"):
        load_images("digits+test_image_set_source:colours")


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("test_image_set_source")
    module.colours = colours
    monkeypatch.setitem(sys.modules, "test_image_set_source", module)


def test_a_module_of_a_users_own_is_named_like_a_solver() -> None:
    assert load_images("test_image_set_source:colours").shape == (3, 8, 8)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("mnist+fashion", ["mnist", "fashion"]),
        ("folder:/a+b/c", ["folder:/a+b/c"]),
        ("folder:x?size=8+arrays:y.npz", ["folder:x?size=8", "arrays:y.npz"]),
        ("digits", ["digits"]),
    ],
)
def test_parts_of_a_name_are_joined_by_plus(name: str, parts: list[str]) -> None:
    assert split_name(name) == parts


def test_an_address_is_a_kind_a_place_and_options() -> None:
    assert Address.of("folder:a?size=8x9&channels=1") == Address(
        "folder", "a", {"size": (8, 9), "channels": 1}
    )
    assert Address.of("folder:what?.d") == Address("folder", "what?.d", {})
    assert Address.of("mnist") == Address("name", "mnist", {})
    assert Address.of("mine:pictures").kind == "attribute"
    for text, told in (
        ("folder:a?size=0", "size=0 is not the pixels"),
        ("folder:a?scale=1", "folder has no option 'scale': it has size and channels"),
        ("folder:a?channels=2", "channels=2 is not 1"),
        ("folder:", "say which, as folder:PATH"),
    ):
        with pytest.raises(UsageError, match=told):
            Address.of(text)


def test_a_gallery_hands_out_floats_between_0_and_1() -> None:
    gallery = load_images("c", source=colours).train.gallery
    found = gallery.gather(torch.tensor([3, 1]))
    assert (tuple(found.shape), found.dtype) == ((2, 3, 8, 8), torch.float32)
    assert torch.equal((found * 255).round().byte(), gallery.pictures[[3, 1]])
