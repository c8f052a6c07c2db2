"""Shapes in signatures are checked at run time in every test."""

import os
from pathlib import Path

from jaxtyping import install_import_hook

ROOT = Path(__file__).parent.parent
os.environ["GROUNDCHECK_CACHE"] = "off"  # tests see what is computed, and nothing of a user's


def _checked_modules() -> list[str]:
    """Every module but the compiled ones: numba must see the function itself, not a wrapper."""
    modules: list[str] = []
    for part in ("datasets", "solvers", "grounding"):
        for path in sorted((ROOT / part).rglob("*.py")):
            if "from numba import" in path.read_text() or path.name == "__init__.py":
                continue
            modules.append(".".join(("groundcheck", *path.relative_to(ROOT).with_suffix("").parts)))
    return modules


install_import_hook(_checked_modules(), "beartype.beartype")
