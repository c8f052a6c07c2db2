"""Sets of puzzles on disk: the same for any number of workers, resumed, and refused when damaged."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from groundcheck.datasets.errors import DataUnavailableError
from groundcheck.datasets.storage import generate_set, load_set
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.datasets.task import BLOCK
from groundcheck.datasets.visudo import ViSudo

SIZE = 2 * BLOCK + 100


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return generate_set(Sudoku(), "train", SIZE, 7, tmp_path_factory.mktemp("sets") / "whole")


def test_a_set_holds_what_the_task_generates_and_stays_on_disk(whole) -> None:
    loaded = load_set(whole)
    puzzles = Sudoku().generate("train", SIZE, 7)
    assert loaded.task == Sudoku()
    assert isinstance(loaded.puzzles.solution, np.memmap)
    assert np.array_equal(loaded.puzzles.solution, puzzles.solution)
    assert np.array_equal(loaded.puzzles.given, puzzles.given)
    assert np.array_equal(loaded.puzzles.picture, puzzles.picture)
    assert loaded.header["puzzles"] == SIZE
    assert loaded.header["given"] == puzzles.given.sum()


def test_two_workers_make_the_same_files(whole, tmp_path) -> None:
    done: list[int] = []
    other = generate_set(Sudoku(), "train", SIZE, 7, tmp_path / "two", workers=2, progress=done.append)
    assert files(other) == files(whole)
    assert done[-1] == SIZE


def test_settings_survive_the_header(tmp_path) -> None:
    task = ViSudo(strategy="transfer").drawn(3)
    assert load_set(generate_set(task, "ood", 10, 0, tmp_path / "set")).task == task


SCRIPT = """
import os, signal, sys
from groundcheck.datasets.storage import generate_set
from groundcheck.datasets.sudoku import Sudoku
from groundcheck.datasets.task import BLOCK

def die(ready):
    if ready >= 3 * BLOCK:
        os.kill(os.getpid(), signal.SIGKILL)

generate_set(Sudoku(), "train", int(sys.argv[2]), 1, sys.argv[1], progress=die)
"""


def test_a_killed_generation_resumes_where_it_was(tmp_path) -> None:
    size = 7 * BLOCK + 1
    folder = tmp_path / "killed"
    package = Path(__file__).parents[2].parent
    killed = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), str(size)],
        env={**os.environ, "PYTHONPATH": f"{package}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert not (folder / "header.json").exists()
    with pytest.raises(DataUnavailableError, match="interrupted"):
        load_set(folder)
    done: list[int] = []
    generate_set(Sudoku(), "train", size, 1, folder, progress=done.append)
    assert len(done) == 8 - 3  # what was finished is not made again
    assert files(folder) == files(generate_set(Sudoku(), "train", size, 1, tmp_path / "clean"))


def test_a_block_that_was_damaged_meanwhile_is_made_again(whole, tmp_path) -> None:
    folder = tmp_path / "half"

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate_set(Sudoku(), "train", SIZE, 7, folder, progress=stop)
    solution = np.load(folder / "solution.npy", mmap_mode="r+")
    solution[5, 5] ^= 1
    solution.flush()
    with (folder / "journal.jsonl").open("a") as journal:
        journal.write('{"block": 2, "sha')  # cut off in the middle of a line
    done: list[int] = []
    generate_set(Sudoku(), "train", SIZE, 7, folder, progress=done.append)
    assert len(done) == 3
    assert files(folder) == files(whole)


def test_a_generation_that_stopped_while_it_laid_out_its_folder_starts_again(
    whole, tmp_path, monkeypatch
) -> None:
    folder = tmp_path / "begun"

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(np.lib.format, "open_memmap", full)
        with pytest.raises(OSError, match="no space"):
            generate_set(Sudoku(), "train", SIZE, 7, folder)
    assert files(generate_set(Sudoku(), "train", SIZE, 7, folder)) == files(whole)


def copy(whole: Path, to: Path) -> Path:
    to.mkdir()
    for name, content in files(whole).items():
        (to / name).write_bytes(content)
    return to


def test_a_truncated_array_is_refused(whole, tmp_path) -> None:
    folder = copy(whole, tmp_path / "set")
    path = folder / "picture.npy"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(DataUnavailableError, match=r"picture\.npy .* is truncated"):
        load_set(folder)
    path.write_bytes(b"")
    with pytest.raises(DataUnavailableError, match="0 bytes"):
        load_set(folder)
    path.unlink()
    with pytest.raises(DataUnavailableError, match="missing"):
        load_set(folder)


def test_an_altered_array_is_refused(whole, tmp_path) -> None:
    folder = copy(whole, tmp_path / "set")
    path = folder / "solution.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataUnavailableError, match="altered"):
        load_set(folder)
    assert len(load_set(folder, check=False).puzzles) == SIZE


def test_arrays_of_another_shape_or_type_are_refused(whole, tmp_path) -> None:
    folder = copy(whole, tmp_path / "set")
    np.save(folder / "given.npy", np.load(whole / "given.npy")[:-1])
    with pytest.raises(DataUnavailableError, match="the header says bool"):
        load_set(folder)
    np.save(folder / "given.npy", np.load(whole / "given.npy").astype(np.int8))
    with pytest.raises(DataUnavailableError, match="the header says bool"):
        load_set(folder)


def test_nothing_is_unpickled(whole, tmp_path) -> None:
    folder = copy(whole, tmp_path / "set")
    np.save(folder / "given.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataUnavailableError, match=r"given\.npy"):
        load_set(folder, check=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda header: {**header, "seed": 8}, "was altered"),
        (lambda header: {**header, "format": 2}, "has format 2; this version reads 1"),
        (lambda _: {"task": "sudoku"}, "should name"),
        (lambda _: [], "should name"),
    ],
)
def test_an_altered_header_is_refused(whole, tmp_path, change, message) -> None:
    folder = copy(whole, tmp_path / "set")
    header = folder / "header.json"
    header.write_text(json.dumps(change(json.loads(header.read_text()))))
    with pytest.raises(DataUnavailableError, match=message):
        load_set(folder)
    header.write_text(header.read_text()[:-5])
    with pytest.raises(DataUnavailableError, match="damaged"):
        load_set(folder)


def test_folders_that_hold_something_else_are_left_alone(whole, tmp_path) -> None:
    with pytest.raises(ValueError, match="already holds a finished set"):
        generate_set(Sudoku(), "train", SIZE, 7, whole)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty"):
        generate_set(Sudoku(), "train", 10, 7, tmp_path)
    with pytest.raises(DataUnavailableError, match="is no set of puzzles"):
        load_set(tmp_path)

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate_set(Sudoku(), "train", 10, 7, tmp_path / "set", progress=stop)
    with pytest.raises(ValueError, match="interrupted generation of other puzzles"):
        generate_set(Sudoku(), "train", 10, 8, tmp_path / "set")


@pytest.mark.parametrize(("size", "workers"), [(0, 1), (1, 0)])
def test_an_empty_set_or_no_workers_are_refused(tmp_path, size, workers) -> None:
    with pytest.raises(ValueError, match="ask for 1 or more of each"):
        generate_set(Sudoku(), "train", size, 0, tmp_path / "set", workers=workers)
