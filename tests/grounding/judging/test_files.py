"""Files of predictions: the same arrays from each format, and files that are damaged, empty or foreign."""

import csv
import io
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from predicted import PUZZLES, SYMBOLS, predicted, without

from groundcheck.datasets.errors import UnusableFileError, UsageError
from groundcheck.grounding import score
from groundcheck.grounding.judging.files import read_arrays
from groundcheck.grounding.judging.tables import PARQUET
from groundcheck.solvers.extras import MissingExtraError

Rows = list[dict[str, Any]]


def rows_of(arrays: dict[str, Any]) -> Rows:
    """The long form of arrays, as the docs have it; the rows in disorder."""
    rows: Rows = []
    for image, true in enumerate(arrays["true"]):
        row = {"image": image, "true": int(true)}
        if "beliefs" in arrays:
            row |= {f"belief{k}": float(p) for k, p in enumerate(arrays["beliefs"][image])}
        else:
            row["symbol"] = int(arrays["symbols"][image])
        if "fit" in arrays:
            row["fit"] = bool(arrays["fit"][image])
        rows.append(row)
    for puzzle, variable in np.ndindex(np.asarray(arrays["solution"]).shape):
        cell = {name: arrays[name][puzzle][variable] for name in ("solution", "given", "image", "answers")}
        row = {"puzzle": puzzle, "variable": variable}
        row |= {"solution": int(cell["solution"]), "given": bool(cell["given"])}
        row |= {"image": int(cell["image"])} if cell["image"] >= 0 else {}
        if np.ndim(cell["answers"]):
            row |= {f"answer{k}": float(p) for k, p in enumerate(cell["answers"])}
        elif cell["answers"] >= 0:
            row["answer"] = int(cell["answers"])
        rows.append(row)
    return rows[::-1]


def write_csv(path: Path, rows: Rows) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(path: Path, rows: Rows) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    names = list(dict.fromkeys(name for row in rows for name in row))
    parquet.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), path)


@pytest.mark.parametrize("write", [write_csv, write_parquet])
@pytest.mark.parametrize("soft", [True, False])
def test_a_table_in_long_form_is_the_same_arrays(
    tmp_path: Path, write: Callable[[Path, Rows], None], soft: bool
) -> None:
    arrays = predicted(soft=soft)
    if soft:
        arrays["answers"] = np.eye(2 * SYMBOLS - 1)[arrays["answers"].clip(0)]
        arrays["fit"] = np.arange(len(arrays["true"])) % 3 == 0
    path = tmp_path / f"run.{write.__name__.removeprefix('write_')}"
    write(path, rows_of(arrays))
    found = read_arrays(path)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert np.array_equal(found[name], array), name


def test_npz_is_what_the_docs_write(tmp_path: Path) -> None:
    np.savez(tmp_path / "run.npz", **predicted())
    np.savez_compressed(tmp_path / "small.npz", **predicted())
    plain, small = (score(tmp_path / f"{name}.npz").as_dict()["tasks"][0] for name in ("run", "small"))
    assert plain["judgement"] == small["judgement"]
    assert score(str(tmp_path / "run.npz")).solver == "run"


def test_readings_alone_in_a_table(tmp_path: Path) -> None:
    write_csv(tmp_path / "r.csv", [row for row in rows_of(predicted()) if "puzzle" not in row])
    assert read_arrays(tmp_path / "r.csv").keys() == {"true", "beliefs"}


def test_without_pyarrow_a_parquet_file_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "r.parquet").write_bytes(b"PAR1")
    with pytest.raises(MissingExtraError, match=r"pip install 'groundcheck\[parquet\]'"):
        read_arrays(tmp_path / "r.parquet")


def npz(**arrays: Any) -> bytes:
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def damaged() -> bytes:
    content = bytearray(npz(**without(predicted(), "image")))
    content[len(content) // 3] ^= 0xFF
    return bytes(content)


class Bomb:
    """Would be seen to be unpickled."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("it was unpickled",)


def pickled() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        member = io.BytesIO()
        np.save(member, np.array([Bomb()], dtype=object), allow_pickle=True)
        archive.writestr("true.npy", member.getvalue())
    return content.getvalue()


def single() -> bytes:
    content = io.BytesIO()
    np.save(content, np.arange(3))
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.npz", b"", "a.npz is empty"),
        ("a.npz", b"hello", "a.npz is damaged, or no .npz file"),
        ("a.npz", npz(true=np.arange(9))[:-40], "a.npz is damaged"),
        ("a.npz", damaged(), "a.npz is damaged"),
        ("a.npz", single(), r"a.npz is a single array: write it with np.savez\('a.npz'"),
        ("a.npz", pickled(), "a.npz holds Python objects, which are never unpickled"),
        ("a.npz", pickle.dumps(Bomb()), "a.npz is damaged, or no .npz file"),
        ("a.pkl", pickle.dumps(Bomb()), "predictions are read from .npz, .csv, .parquet"),
        ("a.npz", npz(), "a.npz holds no arrays"),
        ("a.csv", b"", "a.csv is empty"),
        ("a.csv", b"\n", "a.csv is empty: it should have a heading"),
        ("a.csv", b"image,true,symbol\n", "a.csv has a heading and no rows"),
        ("a.csv", b"image,true,symbols\n0,1,1\n", "unknown column 'symbols': known are puzzle"),
        ("a.csv", b"image,true,true\n0,1,1\n", "two columns are called 'true'"),
        ("a.csv", b"image,true,symbol\n0,1,1\n1,1\n", "a.csv, line 3: 2 values, and the heading has 3"),
        ("a.csv", b"image,true,symbol\n0,one,1\n", "a.csv, line 2: 'one' is no number"),
        ("a.csv", b"image,true,symbol\n0,1,1\n2,1,1\n", "images are numbered 0, 1, 2"),
        ("a.csv", b"image,true,symbol\n,1,1\n", "column 'image' holds nan"),
        ("a.csv", b"true,symbol\n1,1\n", "no column 'image': a row without a puzzle is an image"),
        ("a.csv", b"puzzle,solution\n0,1\n", "no column 'variable'"),
        ("a.csv", b"puzzle,variable,solution\n0,0,1\n0,2,1\n", "2 rows of puzzles are not 1 puzzles of 3"),
        ("a.csv", b"puzzle,variable,solution\n0,0,1\n0,0,1\n", "each puzzle has one row for every variable"),
        ("a.csv", b"image,true,belief0,belief2\n0,0,1,0\n", "belief0, belief1, … are counted from 0"),
        ("a.csv", b"\xff\xfe\x00", "a.csv is no CSV file"),
        ("a.parquet", b"PAR1PAR1", "a.parquet is damaged, or no Parquet file"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    if name.endswith("parquet") and not PARQUET.installed:
        pytest.skip("pyarrow is not installed")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=told) as raised:
        score(tmp_path / name)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match=r"none\.npz does not exist"):
        score(tmp_path / "none.npz")


def test_a_table_of_many_rows_is_read_in_one_go(tmp_path: Path) -> None:
    """Of linear cost: 60,000 rows in well under the second that a row-by-row search would take many times."""
    arrays = {
        name: np.concatenate([array] * 100) for name, array in without(predicted(), "true", "beliefs").items()
    }
    rows = [
        f"{p},{v},{arrays['solution'][p, v]},{int(arrays['given'][p, v])},0"
        for p, v in np.ndindex(100 * PUZZLES, 3)
    ]
    (tmp_path / "long.csv").write_text("puzzle,variable,solution,given,answer\n" + "\n".join(rows))
    assert np.array_equal(read_arrays(tmp_path / "long.csv")["solution"], arrays["solution"])
