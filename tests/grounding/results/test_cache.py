"""The cache of trials: what is taken from it is what would be computed, and all else is a miss."""

import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding import check
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.cli import app
from groundcheck.grounding.engines.inspection import Inspection
from groundcheck.grounding.perception.spec import PerceptionSpec
from groundcheck.grounding.report.table import print_report
from groundcheck.grounding.results import cache as cached
from groundcheck.grounding.results.cache import TrialCache, digest_of_sources, user_folder
from groundcheck.grounding.results.files import plain
from groundcheck.grounding.results.kept_files import KeptFiles
from groundcheck.grounding.suite import suite
from groundcheck.grounding.trials.run import run_trial
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Outcome, Trial
from groundcheck.solvers.neural import MLP

TRIAL = Trial(
    task=Mapping(symbols=3), solver=SolverSpec("mlp"), role="grounding", seed=0,
    training=Training(puzzles=16, epochs=1), validation_puzzles=8, test_puzzles=8,
)  # fmt: skip
INSPECTION = Inspection(TRIAL.solver, TRIAL.task, TRIAL.training, TRIAL.images)
BASELINE = replace(TRIAL, role="baseline", beside=SolverSpec("exact"))
CEILING = replace(TRIAL, role="ceiling")
ASKED: dict[str, Any] = {
    "tasks": [TRIAL.task], "seeds": 1, "epochs": 1, "settings": {"puzzles": 16}, "workers": 0,
}  # fmt: skip


class Own(Mapping):
    """A task of a user's."""


def without_seconds(outcome: Outcome) -> Any:
    return plain(replace(outcome, seconds=0.0))


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return run_trial(TRIAL)


@pytest.fixture
def here(tmp_path: Path) -> TrialCache:
    return TrialCache(tmp_path / "cache")


def entry(cache: TrialCache) -> Path:
    assert cache.files is not None
    [path] = cache.files.folder.rglob("*.json")
    return path


def test_what_is_taken_from_it_is_what_a_fresh_trial_gives(here: TrialCache, outcome: Outcome) -> None:
    assert here.look_up(TRIAL) is None
    here.keep(TRIAL, outcome)
    found = TrialCache(entry(here).parents[1]).look_up(TRIAL)
    assert found is not None
    assert plain(found) == plain(outcome)  # the seconds, too, are those it took
    assert without_seconds(found) == without_seconds(run_trial(TRIAL))


@pytest.mark.parametrize("damage", ["cut", "turned", "emptied", "swapped", "of another type"])
def test_a_damaged_entry_is_a_miss_and_goes(here: TrialCache, outcome: Outcome, damage: str) -> None:
    here.keep(TRIAL, outcome)
    path = entry(here)
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[:-9])
    elif damage == "turned":
        place = len(content) // 2
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    elif damage == "emptied":
        path.write_bytes(b"")
    elif damage == "swapped":  # the whole entry of another trial
        other = TrialCache(path.parents[1] / "other")
        other.keep(replace(TRIAL, seed=1), replace(outcome, seed=1))
        entry(other).replace(path)
    else:
        assert here.files is not None
        here.files.put(path.stem, b'{"role": 7}')
    assert here.look_up(TRIAL) is None
    assert path.exists() == (damage == "of another type")
    here.keep(TRIAL, outcome)
    assert here.look_up(TRIAL) == outcome


def test_everything_that_decides_an_outcome_decides_the_key(
    here: TrialCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlp = PerceptionSpec("mlp")
    trials = [
        TRIAL, CEILING, BASELINE, replace(BASELINE, beside=SolverSpec("satnet")), replace(TRIAL, seed=1),
        replace(TRIAL, solver=SolverSpec("mlp", {"hidden": 7})), replace(TRIAL, task=Mapping(symbols=4)),
        replace(TRIAL, training=replace(TRIAL.training, batch=8)), replace(TRIAL, threads=2),
        replace(TRIAL, test_puzzles=9), replace(TRIAL, perception=mlp),
        replace(TRIAL, perception=replace(mlp, options={"hidden": 7})),
        replace(TRIAL, images=ImageSource(classes=("3", "1", "4"))),
    ]  # fmt: skip
    keys = {here.key(trial) for trial in trials}
    assert None not in keys
    assert len(keys) == len(trials)
    assert here.key(replace(TRIAL, called="other", trace=Path("t"), log=Path("l"))) == here.key(TRIAL)
    assert len({here.key(replace(INSPECTION, label=label)) for label in ("", "a")} - keys) == 2
    for name, other in (("digest_of_sources", "d"), ("_installed", ["torch-0.1"]), ("host", "486")):
        with monkeypatch.context() as patch:
            patch.setattr(cached, name, lambda other=other: other)
            cached.surroundings.cache_clear()
            assert here.key(TRIAL) not in keys
    with monkeypatch.context() as patch:
        patch.setenv("ATEN_CPU_CAPABILITY", "default")
        patch.setenv("NUMBA_CACHE_DIR", "anywhere")
        cached.surroundings.cache_clear()
        assert here.key(TRIAL) not in keys
        patch.delenv("ATEN_CPU_CAPABILITY")
        cached.surroundings.cache_clear()
        assert here.key(TRIAL) in keys
    cached.surroundings.cache_clear()


def test_images_count_by_their_content(here: TrialCache, tmp_path: Path) -> None:
    import numpy as np  # noqa: PLC0415

    keys: set[str | None] = set()
    for shift in (0, 1):
        file = tmp_path / str(shift) / "images.npz"
        file.parent.mkdir()
        pictures = np.random.default_rng(shift).integers(0, 256, (60, 28, 28), dtype=np.uint8)
        np.savez(file, images=pictures, labels=np.arange(60) % 3)
        folder = Path.cwd()
        os.chdir(file.parent)
        try:
            keys.add(TrialCache(tmp_path).key(replace(TRIAL, images=ImageSource("arrays:images.npz"))))
        finally:
            os.chdir(folder)
    assert len(keys) == 2
    assert None not in keys


def test_our_sources_count_where_they_take_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "SOURCES", tmp_path)
    digests: list[str] = []
    for name, content in [
        ("solvers/satnet.py", "1"), ("solvers/satnet.py", "2"), ("grounding/verdict.py", "1"),
        ("grounding/trials/new.py", "1"), ("datasets/search/grids.py", "1"),
    ]:  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
        digests.append(digest_of_sources())
    assert len(set(digests)) == len(digests)
    for name in ("grounding/report/html.py", "tests/test_this.py", "benchmarks/check.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
        assert digest_of_sources() == digests[-1]


def test_nothing_that_runs_code_from_outside_is_kept(here: TrialCache, outcome: Outcome) -> None:
    outside = SolverSpec("my_module:Solver")
    for trial in (
        replace(TRIAL, solver=outside), replace(BASELINE, beside=outside),
        replace(TRIAL, solver=SolverSpec.of(MLP)), replace(TRIAL, task=Own(symbols=3)),
        replace(TRIAL, perception=PerceptionSpec("my_module:Reader")),
        replace(TRIAL, images=ImageSource("my_module:images")),
        replace(TRIAL, images=ImageSource("digits", source=lambda: None)),
        replace(TRIAL, images=ImageSource("registered_by_a_plugin")),
        replace(TRIAL, images=ImageSource(device="cuda")),
    ):  # fmt: skip
        assert not trial.ours
        here.keep(trial, outcome)
        assert here.look_up(trial) is None
    assert not replace(INSPECTION, spec=outside).ours
    assert here.files is not None
    assert not here.files.folder.exists()


def test_a_ceiling_is_that_of_every_solver(here: TrialCache, outcome: Outcome) -> None:
    here.keep(replace(CEILING, solver=SolverSpec("my_module:Solver")), replace(outcome, role="ceiling"))
    found = here.look_up(replace(CEILING, solver=SolverSpec("exact")))
    assert found is not None
    assert found.solver == "exact"
    assert here.look_up(replace(CEILING, seed=1)) is None


def test_what_broke_is_not_kept(here: TrialCache, outcome: Outcome) -> None:
    here.keep(TRIAL, replace(outcome, error="MemoryError"))
    assert here.look_up(TRIAL) is None
    here.keep_findings(INSPECTION, [Finding("contract/build", "error", "the process died")])
    assert here.look_up_findings(INSPECTION) is None
    found = [Finding("contract/range", "fail", "seen", figure=0.1, interval=(0.0, 0.3))]
    here.keep_findings(INSPECTION, found)
    assert here.look_up_findings(INSPECTION) == found


def test_a_folder_that_cannot_be_written_is_said_once_and_the_run_goes_on(
    tmp_path: Path, outcome: Outcome
) -> None:
    (tmp_path / "file").write_text("")
    said: list[str] = []
    cache = TrialCache(KeptFiles(tmp_path / "file" / "cache", tell=said.append))
    cache.keep(TRIAL, outcome)
    cache.keep(CEILING, outcome)
    assert cache.look_up(TRIAL) is None
    [line] = said
    assert line.startswith(f"results cannot be kept in {tmp_path}/file/cache (Not a directory)")


def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def write(path: Path, content: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    cache = TrialCache(KeptFiles(tmp_path, tell=said.append))
    monkeypatch.setattr(Path, "write_bytes", write)
    cache.keep(TRIAL, outcome)
    monkeypatch.undo()
    assert "No space left on device" in said[0]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert cache.look_up(TRIAL) is None


def test_what_was_used_longest_ago_goes_first_and_nothing_else_of_the_folder(tmp_path: Path) -> None:
    files = KeptFiles(tmp_path, max_bytes=4000)
    (tmp_path / "thesis.tex").write_text("x" * 5000)
    keys = [f"{number:02x}{number:062x}" for number in range(8)]
    for age, key in enumerate(keys):
        files.put(key, b"x" * 900)
        os.utime(tmp_path / key[:2] / f"{key}.json", (1000 + age, 1000 + age))
    assert files.get(keys[0]) is not None  # used just now
    files.shrink()
    assert [files.get(key) is not None for key in keys] == [True, *[False] * 5, True, True]
    assert files.size()[1] <= 4000
    assert files.clear() == 3
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_process_that_writes_much_shrinks_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundcheck.grounding.results.kept_files.LOOK_AFTER", 3000)
    files = KeptFiles(tmp_path, max_bytes=5000)
    for number in range(20):
        files.put(f"{number:02x}{number:062x}", b"x" * 1000)
    assert files.size()[1] <= 5000 + 3000


WRITE = """
import sys
from pathlib import Path
from groundcheck.grounding.results.kept_files import KeptFiles
files = KeptFiles(Path(sys.argv[1]), tell=sys.exit)
for turn in range(60):
    for number in range(5):
        key = f"{number:064x}"
        content = files.get(key)
        assert content in (None, str(number).encode() * 100_000), len(content)
        files.put(key, str(number).encode() * 100_000)
"""


def test_two_processes_share_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE, str(tmp_path)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[1] for process in running] == ["", ""]
    assert [process.returncode for process in running] == [0, 0]
    assert sorted(path.name for path in (tmp_path / "00").iterdir()) == [f"{n:064x}.json" for n in range(5)]


def test_a_second_check_trains_nothing_and_reports_the_same(
    here: TrialCache, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [tmp_path / "first", tmp_path / "second"]
    first, second = (check("mlp", run=run, cache=here, **ASKED) for run in runs)
    assert first.spent is not None
    assert second.spent is not None
    assert first.spent.cached_trials == first.spent.cached_checks == 0
    assert (second.spent.cached_trials, second.spent.trials) == (3, 3)
    assert second.spent.cached_checks == second.spent.checks - 1  # the count of relabellings is not kept
    assert second.as_dict(timings=False) == first.as_dict(timings=False)
    traces = [{path.name: path.read_bytes() for path in (run / "traces").iterdir()} for run in runs]
    assert traces[0] == traces[1]
    assert (runs[1] / "trials.jsonl").read_text().count('"cached": true') == 3
    from rich.console import Console  # noqa: PLC0415

    print_report(second, Console(width=200))
    assert "3 of 3 trials and" in capsys.readouterr().out


def test_what_ran_beside_code_from_outside_in_one_process_is_not_kept(
    here: TrialCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite.Suite, "inspection", lambda *_: None)
    report = check(MLP, cache=here, isolate=False, **ASKED)
    assert {o.role for o in report.tasks[0].outcomes if not o.error} >= {"ceiling", "baseline"}
    assert here.files is not None
    assert here.files.size() == (0, 0)


def test_the_command_shows_and_empties_it(
    here: TrialCache, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.keep(TRIAL, outcome)
    assert here.files is not None
    monkeypatch.setenv("GROUNDCHECK_CACHE", str(here.files.folder))
    told = CliRunner().invoke(app, ["cache", "info"])
    assert (told.exit_code, f"{here.files.folder}: 1 results, 0.0 MiB" in told.output) == (0, True)
    assert "1 results deleted" in CliRunner().invoke(app, ["cache", "clear"]).output
    assert here.look_up(TRIAL) is None
    monkeypatch.setenv("GROUNDCHECK_CACHE", "off")
    refused = CliRunner().invoke(app, ["cache", "info"])
    assert (refused.exit_code, "GROUNDCHECK_CACHE=off" in refused.output) == (2, True)


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert user_folder() is None  # in the tests of this project
    monkeypatch.setenv("GROUNDCHECK_CACHE", str(tmp_path))
    assert user_folder() == tmp_path
    monkeypatch.delenv("GROUNDCHECK_CACHE")
    folder = user_folder()
    assert folder is not None
    assert folder.parts[-2:] == ("groundcheck", "trials")
