"""Experiments that ship with the package, by name."""

import tomllib
from pathlib import Path

FOLDER = Path(__file__).parent / "files"


def shipped() -> list[str]:
    """Their names, in alphabetical order."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def about_shipped(name: str) -> str:
    """What one of them says it is about; its other keys are not looked at."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))["about"]
