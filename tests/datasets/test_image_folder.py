"""Images from a folder of classes, and what is refused of one. The pictures are written here, with Pillow."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from groundcheck.datasets.errors import DataUnavailableError, UsageError
from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.images import load_images

RNG = np.random.default_rng(0)


def picture(
    path: Path, *, size: tuple[int, int] = (12, 10), mode: str = "RGB", value: int | None = None
) -> None:
    """One PNG or JPEG of height and width `size`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    depth = {"L": (), "RGB": (3,), "RGBA": (4,), "LA": (2,)}.get(mode, ())
    pixels = RNG.integers(0, 256, (*size, *depth), np.uint8)
    if value is not None:
        pixels[:] = value
    if mode == "P":
        Image.fromarray(pixels).convert("P").save(path)
    elif mode == "I;16":
        Image.fromarray(pixels.astype(np.uint16) * 256).save(path)
    else:
        Image.fromarray(pixels, mode if mode == "LA" else None).save(path)


def classes(root: Path, names: str = "one two three", count: int = 20, **options: object) -> Path:
    for name in names.split():
        for number in range(count):
            picture(root / name / f"{number:02}.png", **options)
    return root


def test_sub_folders_are_classes_in_the_order_of_their_names(tmp_path: Path) -> None:
    classes(tmp_path)
    (tmp_path / "one" / "notes.txt").write_text("of another type")
    (tmp_path / "one" / ".hidden.png").write_text("hidden")
    (tmp_path / ".cache").mkdir()
    loaded = load_images(f"folder:{tmp_path}")
    assert loaded.names == ("one", "three", "two")
    assert loaded.shape == (3, 12, 10)
    parts = [loaded.train, loaded.validation, loaded.test]
    # Of each class a fifth for testing, and a twelfth of the rest, one at least, for validation.
    assert [np.bincount(part.labels).tolist() for part in parts] == [[15] * 3, [1] * 3, [4] * 3]
    assert loaded.notes == ()
    with Image.open(tmp_path / "three" / "07.png") as image:
        pixels = np.moveaxis(np.asarray(image), -1, 0)
    found = [part.labels[(part.gallery.pictures.numpy() == pixels).all((1, 2, 3))].tolist() for part in parts]
    assert sorted(found) == [[], [], [1]]


def test_folders_named_by_numbers_are_those_classes_and_a_test_part_stays(tmp_path: Path) -> None:
    classes(tmp_path / "train", "1 2 10", 12, mode="L")
    classes(tmp_path / "test", "1 2 10", 3, mode="L")
    loaded = load_images(f"folder:{tmp_path}")
    assert loaded.shape == (1, 12, 10)
    assert {*loaded.train.labels} == {1, 2, 10}
    assert np.bincount(loaded.test.labels)[[1, 2, 10]].tolist() == [3, 3, 3]
    assert loaded.names == ()


def test_a_palette_is_colour_and_a_jpeg_is_a_picture(tmp_path: Path) -> None:
    classes(tmp_path, "a b", 6, mode="P")
    picture(tmp_path / "a" / "more.JPEG")
    assert load_images(f"folder:{tmp_path}").shape == (3, 12, 10)


def test_pictures_of_several_sizes_are_refused_with_the_sizes_and_scaled_on_request(tmp_path: Path) -> None:
    classes(tmp_path, "a b", 12, size=(12, 12))
    for number in range(3):
        picture(tmp_path / "b" / f"large{number}.png", size=(20, 24))
    with pytest.raises(UsageError, match=r"several sizes, 12×12 \(24\), 20×24 \(3\): .*folder:.*\?size=20$"):
        load_images(f"folder:{tmp_path}")
    assert load_images(f"folder:{tmp_path}?size=16").shape == (3, 16, 16)
    assert load_images(f"folder:{tmp_path}?size=16x8&channels=1").shape == (1, 16, 8)


@pytest.mark.parametrize(
    ("mode", "told"),
    [("L", r"\(24 colour, 1 grey\)"), ("RGBA", r"\(24 colour, 1 transparent\)")],
)
def test_pictures_of_several_kinds_are_refused_until_told_what_they_become(
    tmp_path: Path, mode: str, told: str
) -> None:
    classes(tmp_path, "a b", 12)
    picture(tmp_path / "a" / "other.png", mode=mode)
    with pytest.raises(UsageError, match=rf"several kinds, or transparent ones {told}: .*\?channels=3"):
        load_images(f"folder:{tmp_path}")
    assert load_images(f"folder:{tmp_path}?channels=3").shape[0] == 3
    assert load_images(f"folder:{tmp_path}?channels=1").shape[0] == 1


def test_what_is_transparent_lies_on_white(tmp_path: Path) -> None:
    classes(tmp_path, "a b", 12)
    picture(tmp_path / "a" / "clear.png", mode="RGBA", value=0)
    pictures = load_images(f"folder:{tmp_path}?channels=3").train.gallery.pictures
    assert (pictures == 255).all(dim=(1, 2, 3)).sum() == 1


def test_a_truncated_picture_is_named(tmp_path: Path) -> None:
    classes(tmp_path, "a b", 12)
    broken = tmp_path / "b" / "03.png"
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.raises(DataUnavailableError, match=r"b.03\.png cannot be read as a picture: it is truncated"):
        load_images(f"folder:{tmp_path}")
    broken.write_text("no picture")
    with pytest.raises(DataUnavailableError, match=r"b.03\.png cannot be read"):  # the file changed
        load_images(f"folder:{tmp_path}")


def test_sixteen_bits_a_pixel_are_refused(tmp_path: Path) -> None:
    classes(tmp_path, "a b", 4, mode="L")
    picture(tmp_path / "a" / "deep.png", mode="I;16")
    with pytest.raises(UsageError, match=r"deep\.png has pixels of Pillow's mode I;16.*: save it as 8-bit"):
        load_images(f"folder:{tmp_path}")


def test_folders_that_are_none_of_classes_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError, match="is not there: name the folder whose sub-folders"):
        load_images(f"folder:{tmp_path / 'none'}")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataUnavailableError, match="is a file"):
        load_images(f"folder:{tmp_path / 'file'}")
    picture(tmp_path / "flat" / "1.png")
    with pytest.raises(UsageError, match=r"has no \.png, \.jpg, \.jpeg file in a sub-folder"):
        load_images(f"folder:{tmp_path / 'flat'}")
    classes(tmp_path / "half" / "train", "a b", 3)
    with pytest.raises(UsageError, match=r"holds train with classes below, and no test: name folder:.*train"):
        load_images(f"folder:{tmp_path / 'half'}")
    classes(tmp_path / "half" / "test", "a b", 3)
    classes(tmp_path / "half", "valid", 1)
    with pytest.raises(UsageError, match="holds valid beside train and test"):
        load_images(f"folder:{tmp_path / 'half'}")


def test_a_test_picture_that_is_trained_on_is_left_out_and_told(tmp_path: Path) -> None:
    classes(tmp_path / "train", "a b", 12)
    classes(tmp_path / "test", "a b", 5)
    (tmp_path / "test" / "a" / "00.png").write_bytes((tmp_path / "train" / "a" / "03.png").read_bytes())
    (tmp_path / "train" / "b" / "x.png").write_bytes((tmp_path / "train" / "a" / "04.png").read_bytes())
    loaded = load_images(f"folder:{tmp_path}")
    assert len(loaded.test.gallery) == 9
    assert loaded.notes == (
        "1 of 10 test pictures stand in the training or validation part as well, and are left out of the "
        "test "
        "part",
        "1 picture stands in two classes at once: one of their labels is wrong",
    )


def test_a_folder_is_read_again_once_a_file_in_it_changed(tmp_path: Path) -> None:
    source = ImageSource(f"folder:{classes(tmp_path, 'a b', 12)}")
    first = source.load()
    assert source.load() is first
    picture(tmp_path / "a" / "99.png")
    assert source.load().digest != first.digest
