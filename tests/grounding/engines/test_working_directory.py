"""Paths count from where the user is, also in processes that were started elsewhere.

A class stands for a solver from outside: its trials are scored apart, by a process that is kept.
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.engines.processes import Processes
from groundcheck.grounding.suite.check import check
from groundcheck.solvers.neural import MLP


@pytest.mark.parametrize("engine", [Processes(0, isolate=False), Processes(1)])
def test_a_relative_folder_of_images_is_found_from_every_process(
    engine: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    asked = {"tasks": [Mapping(symbols=2)], "seeds": 1, "epochs": 1, "settings": {"puzzles": 8}}
    for name in ("first", "second"):
        folder = tmp_path / name
        for symbol in ("one", "two"):
            (folder / f"{name}-numbers" / symbol).mkdir(parents=True)
            for picture in range(20):
                pixels = rng.integers(0, 256, (28, 28), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{name}-numbers" / symbol / f"{picture}.png")
        monkeypatch.chdir(folder)
        report = check(MLP, images=ImageSource(f"folder:{name}-numbers"), engine=engine, **asked)
        assert [outcome.error for task in report.tasks for outcome in task.outcomes] == [None] * 4
