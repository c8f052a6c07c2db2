"""An experiment of seconds, and one that ends itself in the middle."""

from pathlib import Path

TINY = """
solvers = "mlp"
tasks = "mapping"
seeds = 1
roles = ["grounding", "ceiling"]
[settings]
epochs = 1
puzzles = [32, 64]
"""


def written(folder: Path, text: str = TINY, name: str = "tiny.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path
