"""Compiled kernels follow their sources, and are kept where that is possible, in real processes."""

import ast
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from groundcheck.datasets import kernel_cache
from groundcheck.datasets.kernel_cache import KEPT_VERSIONS, SAID, KernelCache, drop_old, version_of

ROOT = Path(__file__).parents[2]
FOLDERS = [ROOT / "datasets" / "search", ROOT / "solvers" / "mixing"]
COMPILED = [path for folder in FOLDERS for path in sorted(folder.glob("*.py"))]
COMPILED = [path for path in COMPILED if "from numba" in path.read_text()]

pytestmark = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT", "0") not in {"", "0"}, reason="nothing is compiled"
)

# A kernel whose callee, and whose callee's constant, stand in two more files.
SOURCES = {
    "caller": """
from numba import njit
from groundcheck.datasets.kernel_cache import kept
from .callee import thrice

@kept
@njit
def count(number):
    return thrice(number) + 1
""",
    "callee": """
from numba import njit
from groundcheck.datasets.kernel_cache import kept
from .constants import FACTOR

@kept
@njit
def thrice(number):
    return FACTOR * number
""",
    "constants": "FACTOR = 3",
}


@pytest.fixture
def code(tmp_path, monkeypatch):
    """A folder of these files; their kernels are kept beside them."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.delenv(SAID, raising=False)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # whose files are compared by whole seconds
    monkeypatch.syspath_prepend(tmp_path / "lib")
    folder = tmp_path / "lib" / "tiny"
    folder.mkdir(parents=True)
    for name, text in SOURCES.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def imported(folder):
    """The kernel, as a process that has not imported it yet gets it."""
    for name in [name for name in sys.modules if name.split(".")[0] == "tiny"]:
        del sys.modules[name]
    kernel_cache.FOLDERS.pop(folder, None)
    return importlib.import_module("tiny.caller").count


def call(kernel, number):
    """What the kernel makes of it, and how many of its signatures came from disk."""
    return kernel(number), sum(kernel.stats.cache_hits.values())


def files(folder):
    return sorted(path.name.split("-")[0] for path in folder.rglob("*.nbc"))


def test_a_kernel_follows_its_callee_and_its_callees_constant(code):
    """Its own file is never edited."""
    assert call(imported(code), 5) == (16, 0)
    assert files(code / "__pycache__") == ["callee.thrice", "caller.count"]
    assert call(imported(code), 5) == (16, 1)
    (code / "constants.py").write_text("FACTOR = 4")
    assert call(imported(code), 5) == (21, 0)
    (code / "callee.py").write_text(SOURCES["callee"].replace("FACTOR * number", "FACTOR - number"))
    assert call(imported(code), 5) == (0, 0)
    (code / "callee.py").write_text(SOURCES["callee"])
    assert call(imported(code), 5) == (21, 1)


def test_what_was_compiled_from_sources_that_changed_since_is_not_kept(code):
    kernel = imported(code)
    (code / "constants.py").write_text("FACTOR = 7")
    assert call(kernel, 5) == (16, 0)
    assert files(code) == []


def test_a_damaged_file_is_compiled_anew(code):
    imported(code)(5)
    [path] = code.rglob("caller.count-*.nbc")
    path.write_bytes(path.read_bytes()[:100])
    assert call(imported(code), 5) == (16, 0)
    assert call(imported(code), 5) == (16, 1)


def test_another_folder_is_taken_where_the_wanted_one_cannot_be_written(code, monkeypatch, capfd):
    monkeypatch.setattr(numba.config, "CACHE_DIR", "/proc/none")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/proc/none")
    assert call(imported(code), 5) == (16, 0)
    assert call(imported(code), 5) == (16, 1)
    assert files(code / "__pycache__") == ["callee.thrice", "caller.count"]
    assert capfd.readouterr().err == (
        "groundcheck: NUMBA_CACHE_DIR=/proc/none cannot be written: compiled kernels are kept elsewhere\n"
    )


def test_a_folder_that_can_no_longer_be_written_is_given_up(code, capfd):
    kernel = imported(code)
    kernel_cache.FOLDERS[code].place.touch()
    assert call(kernel, 5) == (16, 0)
    assert call(kernel, 2.5) == (8.5, 0)
    assert files(code) == []
    assert capfd.readouterr().err.splitlines() == [NOT_KEPT]


NOT_KEPT = (
    "groundcheck: compiled kernels cannot be kept on disk, so that each process takes some seconds to "
    "compile its own: set NUMBA_CACHE_DIR to a folder that can be written"
)


def start(library, script, *arguments, **around):
    """A process of its own, whose user has no files yet."""
    others = {name: value for name, value in os.environ.items() if name not in {SAID, "NUMBA_CACHE_DIR"}}
    home = str(library / "home")
    (library / "script.py").write_text(script)
    others |= {"PYTHONPATH": str(library), "PYTHONDONTWRITEBYTECODE": "1", "NUMBA_OPT": "1"}
    return subprocess.Popen(
        [sys.executable, library / "script.py", *arguments],
        env={**others, "HOME": home, "XDG_CACHE_HOME": home, **around},
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def ended(process):
    """What it printed, and the lines on stderr."""
    printed, said = process.communicate()
    assert process.returncode == 0, said
    return printed.strip(), said.splitlines()


@pytest.fixture
def library(tmp_path):
    """A copy of the compiled search, to be imported from there."""
    library = tmp_path / "library"
    datasets = library / "groundcheck" / "datasets"
    left_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "datasets" / "search", datasets / "search", ignore=left_out)
    shutil.copy(ROOT / "datasets" / "kernel_cache.py", datasets)
    return library


WALK = """
import numpy as np
from groundcheck.datasets.search.walk import make_assignments

seeds, clauses, found = np.arange(20, dtype=np.uint64), np.array([[1, 2]]), np.zeros((20, 12), np.int8)
print(make_assignments(seeds, clauses, np.zeros(20, np.int64), 3, 5, 500, found))
"""


def test_a_generator_follows_a_change_in_how_splits_are_shared_out(library):
    """As after a pull: puzzles of the last quarter are found, until there is but one share."""
    splits = library / "groundcheck" / "datasets" / "search" / "splits.py"
    assert ended(start(library, WALK)) == ("20", [])
    assert "walk.make_assignments" in files(splits.parent / "__pycache__")
    splits.write_text(splits.read_text().replace("SHARES = 4 ", "SHARES = 1 "))
    assert ended(start(library, WALK)) == ("0", [])


SHARE = """
import subprocess, sys
import numpy as np
from groundcheck.datasets.search.splits import share_of

kinds = sys.argv[1:]
if "child" in kinds:
    kinds.remove("child")
    subprocess.run([sys.executable, __file__, *kinds], check=True)
print(*[share_of(np.arange(5, dtype=kind)) for kind in kinds], sum(share_of.stats.cache_hits.values()))
"""


def test_processes_that_compile_at_once_keep_what_each_compiled(library, tmp_path):
    cache = tmp_path / "cache"
    together = [start(library, SHARE, kind, NUMBA_CACHE_DIR=str(cache)) for kind in ("int8", "int16")]
    [(one, _), (other, _)] = [ended(process) for process in together]
    assert one == other
    share = one.split()[0]
    both = start(library, SHARE, "int8", "int16", NUMBA_CACHE_DIR=str(cache))
    assert ended(both) == (f"{share} {share} 2", [])
    assert files(cache) == ["splits.hash_of"] * 2 + ["splits.share_of"] * 2
    assert files(library) == []  # NUMBA_CACHE_DIR is where they are kept
    assert not list(cache.rglob("*.nbc.*"))  # nor is anything half written left


def test_where_nothing_can_be_written_kernels_are_compiled_and_one_line_says_so(library):
    """Root may write anywhere, but makes no folder below a file or in /proc. A child repeats nothing."""
    (library / "groundcheck" / "datasets" / "search" / "__pycache__").touch()
    (library / "home").touch()
    printed, said = ended(start(library, SHARE, "int8", "child", NUMBA_CACHE_DIR="/proc/none"))
    share = printed.split()[0]
    assert printed.split() == [share, "0"] * 2
    assert said == [NOT_KEPT]


def test_kernels_of_old_versions_go_those_used_last_stay(tmp_path):
    for age in range(KEPT_VERSIONS + 2):
        (tmp_path / f"kernels-{age}").mkdir()
        os.utime(tmp_path / f"kernels-{age}", (10**9 - age, 10**9 - age))
    (tmp_path / "another").mkdir()
    drop_old(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"another", *(f"kernels-{age}" for age in range(KEPT_VERSIONS))}


def test_a_version_is_told_by_names_and_contents_of_all_sources(tmp_path):
    (tmp_path / "one.py").write_text("a")
    (tmp_path / "two.py").write_text("b")
    versions = [version_of(tmp_path)]
    (tmp_path / "note.txt").write_text("no source")
    assert version_of(tmp_path) == versions[0]
    (tmp_path / "two.py").write_text("c")
    versions.append(version_of(tmp_path))
    (tmp_path / "two.py").rename(tmp_path / "three.py")
    versions.append(version_of(tmp_path))
    assert len({*versions}) == 3
    with pytest.raises(FileNotFoundError, match="holds no sources"):
        version_of(tmp_path / "none")


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_kernels_take_nothing_from_other_folders_and_are_all_kept(path):
    """What a kernel takes from elsewhere in the package would not be in its folder's hash."""
    tree = ast.parse(path.read_text())
    relative = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    assert {node.module for node in relative if node.level > 1} <= {"kernel_cache", "datasets.kernel_cache"}
    absolute = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    absolute += [
        node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level
    ]
    assert not [name for name in absolute if name.startswith("groundcheck")]
    module = importlib.import_module(".".join(("groundcheck", *path.relative_to(ROOT).with_suffix("").parts)))
    kernels = [value for value in vars(module).values() if hasattr(value, "py_func")]
    assert all(isinstance(kernel._cache, KernelCache) for kernel in kernels)
    assert {kernel._cache.folder.code.resolve() for kernel in kernels} <= {*FOLDERS}


def test_the_processor_is_part_of_a_kernels_key(code, monkeypatch):
    """Kernels fit its registers even where numba is told to compile for another."""
    imported(code)(5)
    assert call(imported(code), 5) == (16, 1)
    monkeypatch.setattr(kernel_cache, "host", lambda: "another")
    assert call(imported(code), 5) == (16, 0)
