"""The documentation: its code runs, its commands exist, its site builds and opens."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer

from groundcheck.grounding.cli import app
from groundcheck.grounding.experiments.file import read_experiment_file
from groundcheck.grounding.experiments.plan import plan_experiment
from groundcheck.grounding.gate.project import read_project

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OURS = {
    "index.md", "report.md", "your-solver.md", "judge.md", "solvers.md", "checks.md", "gate.md",
    "concepts.md", "limits.md", "images.md", "perception.md", "puzzles.md", "vlm.md", "experiments.md",
}  # fmt: skip


def blocks(language: str) -> list[Any]:
    """Every block of code of a language in our pages: page, title, text."""
    return [
        pytest.param(title, text, id=f"{page.stem}-{number}")
        for page in PAGES
        for number, (found, title, text) in enumerate(BLOCK.findall(page.read_text()))
        if found == language
    ]


def test_pages_are_there() -> None:
    assert {page.name for page in PAGES} >= OURS


LONG = {"experiments.md"}  # its code trains for minutes
WITH_CODE = [page for page in PAGES if page.name in OURS - LONG and "```python" in page.read_text()]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.stem)
def test_python_runs(page: Path, tmp_path: Path) -> None:
    """The blocks of a page, one after the other; those with a title as the file they name."""
    script = ""
    for language, title, text in BLOCK.findall(page.read_text()):
        if language != "python":
            continue
        if title:
            (tmp_path / title).write_text(text)
            script += "" if title.startswith("test_") else f"from {Path(title).stem} import *\n"
        else:
            script += text
    (tmp_path / "page.py").write_text(script)
    command = [sys.executable, "-W", "error", "page.py"]
    ran = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout
    tests = [path.name for path in tmp_path.glob("test_*.py")]
    if tests:
        collected = subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only", "-q", *tests],
            check=False, cwd=tmp_path, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert collected.returncode == 0, collected.stdout


@pytest.mark.parametrize(("title", "text"), blocks("console"))
def test_commands_exist_with_their_options(title: str, text: str) -> None:
    del title
    group: Any = typer.main.get_command(app)
    for line in text.splitlines():
        words = shlex.split(line.removeprefix("$ "))
        if words[0] != "groundcheck":
            assert words[0] == "pip"
            continue
        _, name, *arguments = words
        command = group.commands[name]
        command.make_context(name, arguments)  # parses every option, and runs nothing


@pytest.mark.parametrize(("title", "text"), blocks("toml"))
def test_toml_is_read(title: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / title
    path.write_text(text)
    if title == "groundcheck.toml":
        project, written = read_project(path), tomllib.loads(text)
        assert written
        assert set(written.get("solvers", {})) <= set(project.solvers)
        assert set(written.get("profiles", {})) <= set(project.profiles)
    elif "[project" in text:
        assert "groundcheck.solvers" in text
    else:
        assert list(plan_experiment(read_experiment_file(path)))


@pytest.mark.parametrize(("title", "text"), blocks("yaml"))
def test_yaml_is_read(title: str, text: str) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    content = yaml.safe_load(text)
    if "workflows" in title:
        action = yaml.safe_load((ROOT / "action.yml").read_text())
        used = content["jobs"]["gate"]["steps"][-1]["with"]
        assert set(used) <= set(action["inputs"])
    else:
        [hook] = content["repos"][0]["hooks"]
        [known] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
        assert hook["id"] == known["id"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    pytest.importorskip("material", reason="the extra docs is not installed")
    built = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(built)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    ran = subprocess.run(
        command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return built


def test_site_builds_with_warnings_as_errors(site: Path) -> None:
    reference = (site / "reference" / "grounding" / "index.html").read_text()
    assert "Wald’s test" in reference or "Wald's test" in reference
    assert (site / "pictures" / "leak.svg").exists()
    for page in OURS - {"index.md"}:
        assert (site / Path(page).stem / "index.html").exists()


def test_site_opens_in_a_browser(site: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    complaints: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(offline=True).new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: complaints.append(r.url) if r.url.startswith("http") else None)
        page.goto((site / "concepts" / "index.html").as_uri())
        assert page.get_by_role("heading", name="What symbol grounding is").is_visible()
        drawn = page.evaluate("[...document.querySelectorAll('article img')].map(i => i.naturalWidth)")
        browser.close()
    assert len(drawn) == 3
    assert min(drawn) > 0
    assert complaints == []
