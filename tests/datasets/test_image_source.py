from pathlib import Path

import pytest

from groundcheck.datasets.errors import DataUnavailableError, UnknownNameError
from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.images import load_images


def test_a_source_loads_what_its_name_stands_for() -> None:
    assert ImageSource("digits").load() is load_images("digits")
    assert ImageSource.of("digits") == ImageSource()
    chosen = ImageSource("mnist", Path("somewhere"))
    assert ImageSource.of(chosen) is chosen


def test_a_source_looks_in_its_own_folder(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError, match=str(tmp_path)):
        ImageSource("mnist", tmp_path).load()
    with pytest.raises(UnknownNameError, match="did you mean digits"):
        ImageSource("digit").load()
