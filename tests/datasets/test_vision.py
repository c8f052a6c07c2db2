import importlib
import subprocess
import sys
from types import ModuleType

import pytest

from groundcheck.datasets import vision

SCRIPT = """
from groundcheck.datasets.vision import import_torchvision
torchvision = import_torchvision()
assert torchvision is import_torchvision()
print(torchvision.datasets.MNIST.__name__)
"""


def test_torchvision_is_imported_beside_a_cpu_torch() -> None:
    # In a process of its own: here another test may have imported it already.
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "MNIST", done.stderr


def test_other_errors_of_its_import_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> ModuleType:
        raise RuntimeError("libcudart.so: cannot open shared object file")

    monkeypatch.setattr(importlib, "import_module", broken)
    with pytest.raises(RuntimeError, match="libcudart"):
        vision.import_torchvision()
