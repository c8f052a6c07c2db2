"""The GitHub action: its steps are scripts, and these tests run them."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = """
[gate]
profile = "tiny"
require = "UNGROUNDED"

[profiles.tiny]
tasks = ["mapping"]
seeds = 1
epochs = 1
settings = { puzzles = 64 }

[solvers.mlp]
"""

# Two seeds that decide: the ceiling has to read before anything can be held against it.
LEARNS = CONFIG.replace("seeds = 1", "seeds = 2").replace("epochs = 1", "epochs = 5").replace("64", "500")
LEARNS += '[solvers.mlp.expected-failures]\n"bypass/symbols/mapping" = "a code of its own, not symbols"\n'


def run_gate(folder: Path, **inputs: str) -> tuple[int, str]:
    """The step of the action, with the environment a runner gives it."""
    (folder / "bin").mkdir(exist_ok=True)
    python = folder / "bin" / "python"
    if not python.exists():
        python.symlink_to(sys.executable)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_STEP_SUMMARY": str(folder / "step-summary"),
        "GITHUB_OUTPUT": str(folder / "step-output"),
        **{f"INPUT_{name}": value for name, value in inputs.items()},
    }
    command = ["bash", str(ROOT / "action" / "gate.sh")]
    ran = subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    return ran.returncode, ran.stdout + ran.stderr


def test_gate_step_passes_and_tells_the_job(tmp_path: Path) -> None:
    (tmp_path / "groundcheck.toml").write_text(CONFIG)
    (tmp_path / "step-summary").write_text("before\n")
    code, told = run_gate(tmp_path, OUTPUT="out")
    # One seed does not decide: 3, unless a check of the contract fails. The step has to tell which.
    assert code in (1, 3), told
    assert (tmp_path / "step-output").read_text() == f"exit-code={code}\nreport=out\n"
    summary = (tmp_path / "step-summary").read_text()
    assert summary.startswith("before\n## groundcheck")
    assert re.search(r"\| mlp \| mapping \|.* of 1 \|", summary)
    suite = ET.parse(tmp_path / "out" / "junit.xml").getroot()[0]
    assert int(suite.get("tests") or 0) > 3
    assert (tmp_path / "out" / "runs" / "mlp" / "report.html").read_text().startswith("<!doctype html>")


def test_inputs_are_data_and_not_commands(tmp_path: Path) -> None:
    code, told = run_gate(tmp_path, SOLVERS="$(touch${IFS}owned) --help;touch owned", PROFILE="`touch owned`")
    assert code == 2, told
    assert not (tmp_path / "owned").exists()
    assert "exit-code=2" in (tmp_path / "step-output").read_text()


def test_action_and_hook_are_what_they_claim() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    gate = next(step for step in action["runs"]["steps"] if step.get("id") == "gate")
    script = (ROOT / "action" / "gate.sh").read_text()
    used = set(re.findall(r"INPUT_[A-Z_]+", script))
    assert used == set(gate["env"])
    handed_on = {re.search(r"inputs\.([\w-]+)", value)[1] for value in gate["env"].values()}
    assert handed_on | {"install"} == set(action["inputs"])
    # An expression inside a script would let an input become a command.
    assert not [step for step in action["runs"]["steps"] if "${{" in step.get("run", "")]
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["entry"].split() == ["groundcheck", "gate"]
    assert re.search(hook["files"], "groundcheck.toml")
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "groundcheck.yml").read_text())
    [use] = [step for step in workflow["jobs"]["gate"]["steps"] if step["uses"] == "./"]
    assert set(use["with"]) <= set(action["inputs"])


def test_the_hook_runs_before_a_push(tmp_path: Path) -> None:
    pytest.importorskip("pre_commit", reason="pre-commit is not installed")
    project, hooks = tmp_path / "project", tmp_path / "hooks"

    def git(folder: Path, *words: str) -> str:
        command = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words]
        return subprocess.run(command, check=True, cwd=folder, capture_output=True, text=True).stdout.strip()

    def commit(folder: Path, **files: str) -> str:
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_text(content)
        git(folder, "init", "--quiet")
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--no-verify", "-m", "as it is")
        return git(folder, "rev-parse", "HEAD")

    def push(require: str) -> tuple[int, str]:
        """What pre-commit says before a push, with that verdict asked for."""
        arguments = f"[--require, {require}, --quiet, --runs, {tmp_path / 'runs'}]"
        (project / ".pre-commit-config.yaml").write_text(
            f"repos:\n- repo: {hooks}\n  rev: {rev}\n  hooks:\n  - id: groundcheck\n    args: {arguments}\n"
        )
        git(project, "add", ".")
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PRE_COMMIT_HOME": str(tmp_path / "hooks-cache"),
            "GROUNDCHECK_CACHE": str(tmp_path / "trials"),  # the second push trains nothing
        }
        command = [sys.executable, "-m", "pre_commit", "run", "--hook-stage", "pre-push", "--all-files"]
        ran = subprocess.run(
            command, check=False, cwd=project, env=environment, capture_output=True, text=True, timeout=300
        )
        return ran.returncode, ran.stdout + ran.stderr

    rev = commit(hooks, **{".pre-commit-hooks.yaml": (ROOT / ".pre-commit-hooks.yaml").read_text()})
    commit(project, **{"groundcheck.toml": LEARNS})
    code, told = push("UNGROUNDED")
    assert code == 0, told
    assert "mlp: passed; mapping" in told
    code, told = push("GROUNDED")
    assert code == 1, told
    assert re.search(r"fail: verdict/mapping: [A-Z ]+, GROUNDED is required", told)
