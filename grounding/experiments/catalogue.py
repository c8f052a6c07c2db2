"""Experiments that ship with the package, by name."""

from pathlib import Path

FOLDER = Path(__file__).parent / "files"


def shipped() -> list[str]:
    """Their names, in alphabetical order."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))
