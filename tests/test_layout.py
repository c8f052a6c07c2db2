"""The house itself: which way imports go, and that it installs beside others."""

import ast
import importlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

import groundcheck
from groundcheck.datasets import exports

ROOT = Path(__file__).parent.parent
PARTS = ["datasets", "solvers", "grounding"]  # each may import those before it
MODULES = [path for part in PARTS for path in sorted((ROOT / part).rglob("*.py"))]


# Inside grounding each room may import those before it; files of the folder itself are rooms of their own.
ROOMS = [
    "measures", "perception", "trials", "bars", "diagnosis", "remedies", "verdict", "checks", "engines",
    "results", "suite", "experiments", "remedy", "judging", "report", "vlm", "gate", "commands", "cli",
    "__main__",
]  # fmt: skip


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imported(path: Path) -> set[str]:
    """The modules of groundcheck that a file imports anywhere in it, relative imports resolved."""
    known = {module_of(other) for other in MODULES}
    package = ["groundcheck", *path.relative_to(ROOT).parent.parts]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    inside = {name.removeprefix("groundcheck.") for name in found if name.startswith("groundcheck.")}
    return inside & known


def circle(edges: dict[str, set[str]]) -> list[str]:
    """Names that import each other in a ring; empty where there is none."""
    open_ = {name: set(others) - {name} for name, others in edges.items()}
    while free := {name for name, others in open_.items() if not others & open_.keys()}:
        open_ = {name: others for name, others in open_.items() if name not in free}
    return sorted(open_)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    own = PARTS.index(path.relative_to(ROOT).parts[0])
    assert {name.split(".")[0] for name in imported(path)} <= set(PARTS[: own + 1])


@pytest.mark.parametrize("path", [p for p in MODULES if module_of(p).startswith("grounding.")], ids=module_of)
def test_rooms_of_grounding_are_entered_one_way(path: Path) -> None:
    own = module_of(path).split(".")[1]
    if own == "__init__":
        return  # the public face, which imports on first use
    rooms = {name.split(".")[1] for name in imported(path) if name.startswith("grounding.")}
    assert rooms - {"__init__"} <= set(ROOMS[: ROOMS.index(own) + 1])


def test_no_folder_has_a_circle() -> None:
    """Neither among its files, nor among its subfolders, each taken as one."""
    edges = {module_of(path): imported(path) for path in MODULES if path.name != "__init__.py"}
    assert circle(edges) == []
    for folder in {name.rpartition(".")[0] for name in edges}:
        inside: dict[str, set[str]] = {}
        for name, others in edges.items():
            if name.startswith(f"{folder}."):
                child = name.removeprefix(f"{folder}.").split(".")[0]
                within = {o.removeprefix(f"{folder}.") for o in others if o.startswith(f"{folder}.")}
                inside.setdefault(child, set()).update(o.split(".")[0] for o in within)
        assert circle(inside) == [], folder
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == ["a", "b", "c", "d"]


def test_compiled_code_lives_in_two_folders() -> None:
    compiled = {module_of(p).rpartition(".")[0] for p in MODULES if "from numba import" in p.read_text()}
    assert compiled <= {"datasets.search", "solvers.mixing"}


def test_the_package_itself_is_light_and_datasets_is_no_trap() -> None:
    script = (
        "import sys, groundcheck, groundcheck.datasets, groundcheck.solvers, groundcheck.grounding\n"
        "print(groundcheck.__version__, {'torch', 'numpy', 'numba'} & set(sys.modules))\n"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told.split(maxsplit=1) == [groundcheck.__version__, "set()\n"]
    # An __init__.py here would shadow the distribution `datasets` for whoever starts Python in the checkout.
    assert not (ROOT / "datasets" / "__init__.py").exists()


@pytest.mark.parametrize("part", PARTS)
def test_every_public_name_is_where_its_face_says(part: str) -> None:
    face = importlib.import_module(f"groundcheck.{part}")
    homes = exports.HOMES if part == "datasets" else face.HOMES
    for name, home in homes.items():
        found = getattr(face, name)
        assert found is getattr(importlib.import_module(f"groundcheck.{part}.{home}"), name)
    stub = ROOT / part / ("__init__.pyi" if part == "datasets" else "__init__.py")
    declared = {
        f"{alias.name} {node.module}"
        for node in ast.walk(ast.parse(stub.read_text()))
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    assert declared == {f"{name} {home}" for name, home in homes.items()}
    with pytest.raises(AttributeError, match=f"'groundcheck.{part}' has no attribute 'nothing'"):
        _ = face.nothing


def test_tests_are_collected_in_a_checkout_of_any_name(tmp_path: Path) -> None:
    copy = tmp_path / "my-check.out"
    shutil.copytree(ROOT / "datasets", copy / "datasets", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "__init__.py", copy)
    (copy / "tests").mkdir()
    (copy / "tests" / "test_one.py").write_text("def test_one():\n    pass\n")
    (copy / "pyproject.toml").write_text('[tool.pytest.ini_options]\naddopts = "--import-mode=importlib"\n')
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=copy, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout


def test_every_folder_with_code_is_packaged() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {".".join(("groundcheck", *path.relative_to(ROOT).parent.parts)) for path in MODULES}
    assert folders | {"groundcheck"} == set(listed)


def test_what_is_imported_at_once_is_a_dependency() -> None:
    """Not only something that the tools of the tests bring along."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    other = {"scikit-learn": "sklearn", "python-sat": "pysat"}
    declared = {other.get(name, name) for name in project["dependencies"]}
    found: set[str] = set()
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(str(node.module).split(".")[0])
    # llvmlite is a part of numba; remedy/study.py is imported only where Optuna is.
    assert found - set(sys.stdlib_module_names) <= declared | {"llvmlite", "optuna"}


def tracked_files() -> list[Path]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [Path(line) for line in done.stdout.splitlines()]


def run(*command: str | Path, cwd: Path) -> str:
    # Without PYTHONPATH: what the tests themselves import must not be found instead of what was installed.
    around = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=around, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_installs_beside_another_top_level_datasets(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("the wheel is built from tracked files, and this is no git checkout")
    source = tmp_path / "source"
    for path in tracked_files():
        if (ROOT / path).exists():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_bytes((ROOT / path).read_bytes())
    other = tmp_path / "other"
    (other / "datasets").mkdir(parents=True)
    (other / "datasets" / "__init__.py").write_text("def load_dataset(name):\n    return name.upper()\n")
    (other / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "datasets"\nversion = "1"\n[tool.setuptools]\npackages = ["datasets"]\n'
    )
    wheels = tmp_path / "wheels"
    build = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", wheels)
    run(*build, source, cwd=tmp_path)
    run(*build, other, cwd=tmp_path)
    fresh = tmp_path / "fresh"
    run(sys.executable, "-m", "venv", "--without-pip", fresh, cwd=tmp_path)
    python = fresh / "bin" / "python"
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index",
        *sorted(wheels.glob("*.whl")), cwd=tmp_path,
    )  # fmt: skip
    # The dependencies are lent by this environment; a path in a .pth file does not bring its own .pth files.
    site = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip()
    )
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    script = (
        "import datasets, groundcheck, groundcheck.datasets.problem as problem\n"
        "import groundcheck.grounding.suite.suite\n"
        "print(datasets.load_dataset('both'), groundcheck.__file__, problem.__file__)\n"
    )
    (tmp_path / "try.py").write_text(script)
    told = run(python, tmp_path / "try.py", cwd=tmp_path).split()
    assert told[0] == "BOTH"
    assert all(str(fresh) in path for path in told[1:])
    assert "mapping" in run(fresh / "bin" / "groundcheck", "list", cwd=tmp_path)
    templates = site / "groundcheck" / "grounding" / "report" / "templates"
    assert {"report.html.j2", "page.css", "page.js"} <= {path.name for path in templates.iterdir()}
    installed = {path.name for path in (site / "groundcheck").iterdir()}
    assert {"datasets", "solvers", "grounding"} <= installed
    assert not {"tests", "docs", "benchmarks", "examples"} & installed
