"""The flat public face of a folder: names that are imported from their modules on first use."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

# Of groundcheck.datasets; `__init__.pyi` says the same to type checkers. There is no __init__.py, which would
# shadow the well-known distribution `datasets` for whoever starts Python in a checkout.
HOMES = {
    "Addition": "addition",
    "Batch": "batch",
    "DataUnavailableError": "errors",
    "EvenOdd": "pair_sum",
    "Examples": "batch",
    "FileBoards": "boards.task",
    "Futoshiki": "futoshiki",
    "Half": "pair_sum",
    "IMAGES": "catalogue",
    "IdxImages": "images",
    "ImageSet": "images",
    "ImageSource": "image_source",
    "Latin": "latin",
    "Layout": "task",
    "Logic": "logic",
    "Mapping": "mapping",
    "Parity": "parity",
    "Pictures": "images",
    "Problem": "problem",
    "Puzzles": "task",
    "Queens": "queens",
    "Sudoku": "sudoku",
    "TASKS": "catalogue",
    "Task": "task",
    "UnknownNameError": "errors",
    "UsageError": "errors",
    "ViSudo": "visudo",
    "draw_pictures": "task",
    "load_images": "images",
    "load_set": "storage",
    "make_problem": "problem",
    "shares": "search.splits",
}


def lazy_attributes(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's `__getattr__` (PEP 562) that finds each name in the module of `package` it lives in."""

    def attribute(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return attribute
