"""Which split a puzzle belongs to, decided by its content: splits are disjoint for any size and seed."""

# ruff: noqa: ANN001, ANN201, ANN202 - compiled: numba infers types
# pyright: reportMissingParameterType=false
import numpy as np
from jaxtyping import Int, UInt64
from numba import njit

from ..kernel_cache import kept

SHARES = 4  # train, validation, test and ood get a quarter of a puzzle space each


@kept
@njit
def hash_of(content):
    """64 bits of one puzzle: FNV-1a over its bytes, then the finaliser of splitmix64."""
    mixed = np.uint64(0xCBF29CE484222325)
    for entry in content:
        mixed = (mixed ^ np.uint64(entry & 0xFF)) * np.uint64(0x100000001B3)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@kept
@njit
def share_of(content):
    """The quarter, 0 to 3, of one puzzle."""
    return np.int64(hash_of(content) % np.uint64(SHARES))


@kept
@njit
def _hash_rows(content, found):
    for row in range(len(content)):
        found[row] = hash_of(content[row])


def hashes(content: Int[np.ndarray, "puzzles entries"]) -> UInt64[np.ndarray, " puzzles"]:
    """64 bits of each puzzle, from whatever identifies it, in entries of −128 to 127."""
    found = np.empty(len(content), dtype=np.uint64)
    _hash_rows(np.ascontiguousarray(content, dtype=np.int8), found)
    return found


def shares(content: Int[np.ndarray, "puzzles entries"]) -> Int[np.ndarray, " puzzles"]:
    """The quarter of each puzzle, from whatever identifies it, in entries of −128 to 127."""
    return (hashes(content) % np.uint64(SHARES)).astype(np.int64)
