"""Reading the arrays of a file: nothing in it is unpickled or run."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from ...datasets.errors import UnusableFileError, UsageError
from .tables import read_csv, read_parquet

SUFFIXES = (".npz", ".csv", ".parquet")


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz, .csv or .parquet file, by name.

    Raises `UsageError` for what is none of these, is damaged, empty, or holds Python objects;
    `MissingExtraError` where the package that reads it is not installed.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{path}: predictions are read from {', '.join(SUFFIXES)} files")
    if not path.is_file():
        raise UnusableFileError(f"{path} does not exist: name a file of predictions")
    if not path.stat().st_size:
        raise UsageError(f"{path} is empty: write the predictions again")
    try:
        if path.suffix == ".csv":
            return read_csv(path)
        return read_parquet(path) if path.suffix == ".parquet" else _read_npz(path)
    except OSError as error:
        raise UnusableFileError(f"{path} cannot be read: {error.strerror or error}") from error


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as file:  # NumPy leaves a file open that is damaged
        head = file.read(6)
        if head == b"\x93NUMPY":
            raise UsageError(f"{path} is a single array: write it with np.savez({path.name!r}, true=…, …)")
        if not head.startswith(b"PK"):
            raise UsageError(f"{path} is damaged, or no .npz file: write the predictions again")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as found:
                return {name: found[name] for name in found.files}
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, ValueError) as error:
            if "pickle" in str(error):
                raise UsageError(
                    f"{path} holds Python objects, which are never unpickled: write plain arrays of numbers"
                ) from error
            raise UsageError(f"{path} is damaged: {error}; write the predictions again") from error
