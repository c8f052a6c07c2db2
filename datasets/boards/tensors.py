"""Boards as SATNet publishes them: one-hot tensors (boards, 9, 9, 9), zeros where a cell is open.

Source: Wang et al. 2019, github.com/locuslab/SATNet: features.pt and labels.pt.
"""

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from ..errors import UnusableFileError, UsageError
from ..sudoku import BLOCKS, Sudoku
from ..task import Task
from .chunk import CHUNK, Chunk

FEATURES, LABELS = "features.pt", "labels.pt"


@dataclass(frozen=True)
class TensorBoards:
    """A file of features, with its labels beside it if there are any, or both in one file by their names."""

    path: Path
    unit: str = "board"

    def task(self) -> Task:
        """Sudoku of the size that the tensors have."""
        return Sudoku(size=self._tensors()[0].shape[-1])

    def chunks(self) -> Iterator[Chunk]:
        """The boards in order, counted from 1."""
        features, labels = self._tensors()
        for first in range(0, len(features), CHUNK):
            rows = slice(first, first + CHUNK)
            puzzle = self._decoded(features[rows], first, "features")
            solution = None if labels is None else self._decoded(labels[rows], first, "labels")
            yield Chunk(puzzle, solution, np.arange(first, first + len(puzzle)) + 1)

    def _tensors(self) -> tuple[Any, Any]:
        features: Any
        labels: Any
        found = load_tensors(self.path)
        if isinstance(found, dict):
            features, labels = found.get("features"), found.get("labels")
        else:
            features, beside = found, self.path.with_name(LABELS)
            labels = load_tensors(beside) if self.path.name == FEATURES and beside.is_file() else None
        for name, tensor in (("features", features), ("labels", labels)):
            if tensor is None and name == "labels":
                continue
            shape = tuple(getattr(tensor, "shape", ()))
            size = shape[-1] if len(shape) == 4 else 0
            if not torch.is_tensor(tensor) or size not in BLOCKS or shape[1:] != (size, size, size):
                told = f"a tensor of {shape}" if torch.is_tensor(tensor) else f"a {type(tensor).__name__}"
                raise UsageError(
                    f"{self.path}: its {name} are {told}: a tensor (boards, size, size, size) of one-hot "
                    f"symbols is read, of size {', '.join(map(str, BLOCKS))}"
                )
        if labels is not None and labels.shape != features.shape:
            shapes = f"{tuple(features.shape)} and {tuple(labels.shape)}"
            raise UsageError(f"{self.path}: features and labels have shapes {shapes}: they belong together")
        return features, labels

    def _decoded(self, tensor: Any, first: int, name: str) -> Int[np.ndarray, "boards cells"]:
        entries = tensor.numpy().reshape(len(tensor), -1, tensor.shape[-1])
        ones, zeros = entries == 1, entries == 0
        wrong = ~(ones | zeros).all(axis=(1, 2)) | (ones.sum(axis=2) > 1).any(axis=1)
        if len(rows := np.flatnonzero(wrong)):
            raise UsageError(
                f"{self.path}, board {first + int(rows[0]) + 1}: its {name} are not one-hot: each cell has "
                "one 1, or none where it is open"
            )
        return np.where(ones.any(axis=2), ones.argmax(axis=2), -1).astype(np.int8)


def load_tensors(path: Path) -> Any:
    """What torch saved in a file, without unpickling any code.

    Raises:
        UsageError: For what holds more than tensors, or is damaged.
    """
    try:
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # written before torch 1.6: such a file cannot be mapped
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UnusableFileError(f"{path} cannot be read: {error.strerror}") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise UsageError(
            f"{path} is no file of tensors alone, or a damaged one (code in it is not run): save tensors "
            "with torch.save"
        ) from error
