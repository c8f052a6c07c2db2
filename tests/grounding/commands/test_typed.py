"""What people type and what their code does when it is imported: one sentence, exit 2, nothing trained."""

import re
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from groundcheck.grounding.cli import app

NO_CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")

MODULES = {
    "bad_assert": 'assert False, "needs a GPU"\n',
    "bad_name": "x = undefined_thing\n",
    "bad_syntax": "def f(:\n",
    "exits": 'import sys\nsys.exit("usage: train.py --data DIR")\n',
    "quits": "class Stop(BaseException): pass\nraise Stop('at\\nonce')\n",
    "takes_any": """
        import torch
        class S(torch.nn.Module):
            def __init__(self, problem, width: int = 3, scale=1, *, flag=False, **more):
                super().__init__()
                self.more = more
            def forward(self, beliefs, given):
                return beliefs
    """,
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with modules of a user's, and nothing that trains."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, content in MODULES.items():
        (tmp_path / f"{name}.py").write_text(re.sub(r"^        ", "", content, flags=re.M))
        monkeypatch.delitem(sys.modules, name, raising=False)
    for place in ("suite.check.schedule", "trials.run.run_trial"):
        monkeypatch.setattr(f"groundcheck.grounding.{place}", lambda *_, **__: pytest.fail("it ran"))
    return tmp_path


def refused(*words: str, code: int = 2) -> str:
    """What a command says; it has to be one line, and end with that code."""
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == code, done.output
    [line] = done.output.splitlines()
    return line


@pytest.mark.parametrize(
    ("device", "said"),
    [
        pytest.param("cuda", "device 'cuda' cannot be used here: .*; take cpu", marks=NO_CUDA),
        pytest.param("cuda:7", "device 'cuda:7' cannot be used here", marks=NO_CUDA),
        ("gpu", "device 'gpu' is none: it is cpu, cuda, cuda:1"),
        ("meta", "device 'meta' cannot be used here"),
    ],
)
@pytest.mark.parametrize("words", [("check", "mlp"), ("run", "mapping", "mlp"), ("gate", "mlp")])
def test_a_device_that_is_not_there(words: tuple[str, ...], device: str, said: str) -> None:
    assert re.search(said, refused(*words, "--device", device))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bad_assert:S", r"solver 'bad_assert:S': AssertionError: needs a GPU \(.*bad_assert.py, line 1\)"),
        ("bad_name:S", r"NameError: name 'undefined_thing' is not defined \(.*, line 1\)"),
        ("bad_syntax:S", r"SyntaxError: .* \(bad_syntax.py, line 1\)"),
        ("exits:S", "SystemExit: usage: train.py --data DIR"),
        ("quits:S", "Stop: at once"),
        ("takes_any:T", "module 'takes_any' has no attribute 'T'"),
        ("./zoo.py:Base", r"there is no file \./zoo\.py; it is written package\.module:attribute"),
        ("takes_any:", "package.module:attribute"),
    ],
)
@pytest.mark.parametrize(
    "words", [("check", "{}"), ("run", "mapping", "{}"), ("gate", "{}"), ("audit", "{}")]
)
def test_a_module_that_raises_when_it_is_imported(words: tuple[str, ...], name: str, said: str) -> None:
    line = refused(*(word.format(name) for word in words))
    assert re.search(said.replace("solver", "(solver|loss)"), line)


def test_a_broken_plugin_is_marked_and_the_rest_is_shown(folder: Path) -> None:
    info = folder / "plug-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(
        "[groundcheck.solvers]\nbroken = bad_assert:S\ngone = nowhere_at_all:S\n"
        "[groundcheck.tasks]\nbroken = exits:T\n[groundcheck.images]\nbroken = bad_syntax:T\n"
    )
    listed = CliRunner().invoke(app, ["list"])
    assert listed.exit_code == 0, listed.output
    for part in ("mapping", "satnet", "fashion"):
        assert part in listed.output
    assert listed.output.count("not available") == 4
    said = refused("check", "broken")
    assert said.startswith(
        "groundcheck: solver 'broken' (bad_assert:S, of the package plug): AssertionError:"
    )
    assert "No module named 'nowhere_at_all'" in refused("check", "gone")
    assert "SystemExit: usage: train.py" in refused("check", "mlp", "--task", "broken")
    assert "SyntaxError" in refused("check", "mlp", "--images", "broken")


@pytest.mark.parametrize(
    ("solver", "setting", "said"),
    [
        ("mlp", "puzzles=abc", "puzzles='abc': it is a whole number"),
        ("mlp", "batch=2.5", "batch=2.5: it is a whole number"),
        ("mlp", "epochs=True", "epochs=True: it is a whole number"),
        ("mlp", "perception_rate=fast", "perception_rate='fast': it is a number or None"),
        ("mlp", "hidden=2.5", "hidden=2.5: it is a whole number"),
        ("satnet", "m=abc", "m='abc': it is a whole number"),
        ("satnet", "m=True", "m=True: it is a whole number"),
        ("satnet", "backward_tolerance=x", "backward_tolerance='x': it is a number or None"),
        ("grounded-satnet", "m=abc", "m='abc': it is a whole number"),
        ("grounded-satnet", "solver.setling=3", "did you mean solver.settling|did you mean settling"),
        ("exact", "reasoning=3", "reasoning=3: it is a word"),
        ("takes_any:S", "puzles=3", "did you mean puzzles.*An option that only takes_any:S knows of"),
        ("takes_any:S", "width=wide", "width='wide': it is a whole number"),
        ("takes_any:S", "scale=big", "scale='big': it is a number"),
        ("takes_any:S", "flag=1", "flag=1: it is True or False"),
        ("mlp", "symbols=many", "symbols='many': it is a whole number"),
    ],
)
def test_a_setting_of_another_type_or_name(solver: str, setting: str, said: str) -> None:
    for words in (("check", solver, "--task", "mapping"), ("run", "mapping", solver)):
        assert re.search(said, refused(*words, "--set", setting))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("options = {hiden = 3}", "mlp has no option 'hiden': did you mean hidden?"),
        ("options = {hidden = 'x'}", "hidden='x': it is a whole number"),
        ("options = {hidden = 0}", "hidden=0"),
        ("expected-failures = {'contract/shpe/mapping' = 'x'}", "did you mean contract/shape/mapping"),
        ("expected-failures = {'verdict/sudoku' = 'x'}", "'verdict/sudoku' names no case of this gate"),
    ],
)
def test_what_a_gate_file_gets_wrong_of_any_solver_is_told_before_the_first_trains(
    folder: Path, table: str, said: str
) -> None:
    (folder / "groundcheck.toml").write_text(
        f"[gate]\nprofile = 'quick'\n[solvers.exact]\n[solvers.mlp]\n{table}\n"
    )
    assert said in refused("gate")


def test_an_expectation_that_names_no_check_is_told_before_anything_trains(folder: Path) -> None:
    (folder / "expected").write_text("contract/range/mapping  # rounding\ncontract/rnge/mapping\n")
    said = refused("check", "mlp", "--task", "mapping", "--expect", "expected")
    assert re.search(
        "--expect 'contract/rnge/mapping' names no check.*: did you mean contract/range/mapping", said
    )
