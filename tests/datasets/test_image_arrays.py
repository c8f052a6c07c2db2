"""Images from a file of arrays: its two forms, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from groundcheck.datasets.errors import DataUnavailableError, UsageError
from groundcheck.datasets.images import load_images

COLOURS = np.random.default_rng(0).integers(0, 256, (60, 3, 16, 12), np.uint8)
LABELS = np.arange(60) % 3


def written(path: Path, **arrays: np.ndarray) -> str:
    np.savez(path, **arrays)
    return f"arrays:{path}"


def test_images_and_labels_with_names_and_a_test_part(tmp_path: Path) -> None:
    name = written(
        tmp_path / "set.npz", images=COLOURS, labels=LABELS[:, None], test=np.arange(60) >= 48,
        names=np.array(["cat", "dog", "cow"]), of_no_interest=np.zeros(3),
    )  # fmt: skip
    loaded = load_images(name)
    assert (loaded.shape, loaded.names) == ((3, 16, 12), ("cat", "dog", "cow"))
    assert np.bincount(loaded.test.labels).tolist() == [4, 4, 4]


def test_the_form_of_keras_is_read_and_grey_pictures_have_one_channel(tmp_path: Path) -> None:
    grey = COLOURS[:, 0]
    name = written(
        tmp_path / "k.npz", x_train=grey[:40], y_train=LABELS[:40], x_test=grey[40:], y_test=LABELS[40:]
    )
    loaded = load_images(name)
    assert (loaded.shape, len(loaded.test.gallery)) == ((1, 16, 12), 20)


def test_where_channels_stand_and_what_pixels_run_up_to_is_told_and_not_guessed(tmp_path: Path) -> None:
    last = np.moveaxis(COLOURS, 1, -1) / 255
    name = written(tmp_path / "f.npz", images=last.astype(np.float32), labels=LABELS)
    with pytest.raises(UsageError, match=r"channels after height and width: say so with .*\?channels=last"):
        load_images(name)
    with pytest.raises(UsageError, match=r"float32 from 0 to 1, they should be bytes.* or say scale=1"):
        load_images(f"{name}?channels=last")
    loaded = load_images(f"{name}?channels=last&scale=1")
    bytes_ = load_images(written(tmp_path / "b.npz", images=COLOURS, labels=LABELS))
    assert loaded.digest == bytes_.digest
    with pytest.raises(UsageError, match=r"said to run from 0 to 255: .*say scale=1"):
        load_images(f"{name}?channels=last&scale=255")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("scale=2", "scale=2 is not 1 or 255"),
        ("channels=middle", "channels=middle is not last"),
        ("size=3", "arrays has no option 'size': it has scale and channels"),
    ],
)
def test_options_that_do_not_fit_are_refused(query: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        load_images(f"arrays:some.npz?{query}")


def test_files_that_do_not_fit_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError, match=r"none.npz is not there: name a \.npz that holds images"):
        load_images(f"arrays:{tmp_path / 'none.npz'}")
    with pytest.raises(UsageError, match="holds images: it should hold images and labels"):
        load_images(written(tmp_path / "1.npz", images=COLOURS))
    with pytest.raises(UsageError, match=r"x_train is \(60, 3, 16, 12\) and x_test \(60, 16, 12\)"):
        load_images(
            written(tmp_path / "2.npz", x_train=COLOURS, y_train=LABELS, x_test=COLOURS[:, 0], y_test=LABELS)
        )
    with pytest.raises(UsageError, match="x_train is uint8 and x_test float64"):
        load_images(
            written(tmp_path / "3.npz", x_train=COLOURS, y_train=LABELS, x_test=COLOURS / 2, y_test=LABELS)
        )
    ragged = np.array([COLOURS[0], COLOURS[0, :1]], dtype=object)
    with pytest.raises(UsageError, match=r"arrays of Python objects.*pictures of several sizes"):
        load_images(written(tmp_path / "4.npz", images=ragged, labels=LABELS[:2]))
    np.save(tmp_path / "5.npy", COLOURS)
    with pytest.raises(UsageError, match="is a single array"):
        load_images(f"arrays:{tmp_path / '5.npy'}")
    damaged = tmp_path / "6.npz"
    written(damaged, images=COLOURS, labels=LABELS)
    damaged.write_bytes(damaged.read_bytes()[:4000])
    with pytest.raises(DataUnavailableError, match=r"6\.npz is no \.npz file, or damaged"):
        load_images(f"arrays:{damaged}")
    with pytest.raises(UsageError, match="60 pictures but 59 labels"):
        load_images(written(tmp_path / "7.npz", images=COLOURS, labels=LABELS[1:]))
    with pytest.raises(UsageError, match="labels begin at -1"):
        load_images(written(tmp_path / "8.npz", images=COLOURS, labels=LABELS - 1))
