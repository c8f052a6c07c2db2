"""What else decides a figure: versions, the processor, threads, the command, the revision of the project."""

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

NAMES = ("groundcheck", "torch", "torchvision", "numpy", "scipy", "scikit-learn", "numba", "python-sat")


def environment(device: str = "cpu") -> dict[str, Any]:
    """For a record. It holds no time and no process number: two runs of one command give the same."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": 1,  # of every trial, whatever runs beside it
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.machine(),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "revision": _revision(),
        "versions": {name: _version(name) for name in NAMES},
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _revision() -> str | None:
    """The commit of the project in the working directory, marked where files differ from it."""
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return None
    return f"{commit} with changes" if _git("status", "--porcelain", "--untracked-files=no") else commit


def _git(*words: str) -> str | None:
    try:
        message = subprocess.run(["git", *words], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return message.stdout.strip()
