"""Image sets and formulas from outside, in a process of its own: one sentence, and the exit code for it."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = """
import numpy as np
from groundcheck.datasets.images import IdxImages, Pictures

PICTURES = np.random.default_rng(0).integers(0, 256, (300, 28, 28), np.uint8)
LABELS = np.arange(300) % 10

def floats(root, *, download):
    return Pictures((PICTURES / 255).astype(np.float32), LABELS, None)

def letters(root, *, download):
    return Pictures(PICTURES, LABELS + 1, None)

own = IdxImages("Own", {f"own-{p}": ("0" * 32, "0" * 32) for p in ("train-images", "train-labels")}, "x", "y")
"""
ENTRIES = "[groundcheck.images]\nfloats = sources:floats\nletters = sources:letters\nown = sources:own\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sources.py").write_text(SOURCES)
    info = tmp_path / "sources-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sources\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    return tmp_path


def groundcheck(folder: Path, *words: str) -> tuple[int, str]:
    """Exit code and all output of a command, run in a folder."""
    script = "from groundcheck.grounding.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        cwd=folder, env={**os.environ, "COLUMNS": "200"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("run", "mapping", "mlp", "--images", "floats"), 2, "image set 'floats': its pictures are float32"),
        (("check", "mlp", "--task", "mapping", "--images", "letters"), 2, "has classes 1 to 10: number the"),
        (("show", "mapping", "--images", "own", "--data-root", "."), 4, "lacks own-train-images, own-tr"),
        (("show", "logic", "--set", "file=few.cnf"), 2, "assignments that satisfy it: 1 (train"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_in_one_sentence(
    folder: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    (folder / "few.cnf").write_text("p cnf 12 12\n" + "\n".join(f"{v} 0" for v in range(1, 13)) + "\n")
    found, output = groundcheck(folder, *words)
    assert found == code
    assert output.startswith("groundcheck: ")
    assert told in output
    assert len(output.splitlines()) == 1


def test_a_packed_formula_with_any_comment_is_shown(folder: Path) -> None:
    rules = b"\xef\xbb\xbfc===== M\xfcller\np cnf 3 2\n1 -2 0\n2 3 0\n"
    (folder / "rules.cnf.gz").write_bytes(gzip.compress(rules))
    code, output = groundcheck(folder, "show", "logic", "--set", "file=rules.cnf.gz", "-o", "rules.png")
    assert (code, output.count("\n")) == (0, 1)
    assert (folder / "rules.png").exists()
