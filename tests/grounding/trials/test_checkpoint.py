"""A trial that is interrupted, however it is, and goes on: the outcome is that of one that was not."""

import json
import os
import pickle
import random
import resource
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from groundcheck.datasets.mapping import Mapping
from groundcheck.grounding.engines.children import process_context
from groundcheck.grounding.engines.pairs import run_trials
from groundcheck.grounding.engines.scorer import run_here
from groundcheck.grounding.perception.spec import PerceptionSpec
from groundcheck.grounding.trials import checkpoint, run
from groundcheck.grounding.trials.session import LocalSession
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Outcome, Point, Trial
from groundcheck.solvers.catalogue import SOLVERS
from groundcheck.solvers.neural import MLP

run_trial = run.run_trial
TINY = Trial(
    task=Mapping(symbols=3),
    solver=SolverSpec("mlp", {"hidden": 8}),
    role="grounding",
    seed=0,
    training=Training(puzzles=24, epochs=3, batch=8),
    perception=PerceptionSpec("mlp", {"hidden": 32}),
    validation_puzzles=10,
    test_puzzles=10,
)


class Reader(nn.Module):
    """Reads with dropout, which draws from torch's own generator, and statistics of batches."""

    def __init__(self, image_shape: Any, symbols: int) -> None:
        super().__init__()
        size = image_shape[0] * image_shape[1] * image_shape[2]
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(size, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, symbols)
        )

    def forward(self, images: Any) -> Any:
        return self.layers(images)


class Noisy(MLP):
    """Draws from torch's own generator in training and when it is looked at, as public-satnet does."""

    def forward(self, beliefs: Any, given: Any) -> Any:
        return super().forward((beliefs + 0.05 * torch.rand_like(beliefs)).clamp(0, 1), given)


class Counting(MLP):
    """Counts its batches where no state_dict sees it, and says so in its extra state."""

    batches = 0

    def loss(self, beliefs: Any, given: Any, answer: Any) -> Any:
        self.batches += self.training
        return super().loss(beliefs, given, answer) * (1 + self.batches)

    def get_extra_state(self) -> Any:
        return {"batches": self.batches}

    def set_extra_state(self, state: Any) -> None:
        self.batches = state["batches"]


class Unspeakable(MLP):
    """Its extra state is neither a tensor nor a plain value."""

    def get_extra_state(self) -> Any:
        return random.Random(0)

    def set_extra_state(self, state: Any) -> None:
        del state


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A checkpoint after every epoch; collects how many epochs had ended where a training began."""
    monkeypatch.setattr(checkpoint, "COSTS", 0)
    began: list[int] = []
    train = run.train

    def heard(*arguments: Any, **named: Any) -> None:
        began.append(named["ended"])
        train(*arguments, **named)

    monkeypatch.setattr(run, "train", heard)
    return began


def stop_after(epoch: int) -> Callable[[Point], None]:
    def stop(point: Point) -> None:
        if point.epoch == epoch:
            raise KeyboardInterrupt

    return stop


def interrupt(trial: Trial, *epochs: int) -> None:
    for epoch in epochs:
        with pytest.raises(KeyboardInterrupt):
            run_trial(trial, stop_after(epoch))


def plain(outcome: Outcome) -> Outcome:
    assert outcome.error is None, outcome.error
    return replace(outcome, seconds=0.0)


def kept(folder: Path, kind: str) -> list[Path]:
    return sorted(folder.glob(f"*.{kind}"))


@pytest.fixture(scope="module")
def whole() -> Outcome:
    outcome = plain(run_trial(TINY))
    assert outcome.no_gradient == 0
    return outcome


@pytest.mark.parametrize("name", SOLVERS.ours)
def test_every_solver_goes_on_as_if_nothing_had_been(name: str, eager: list[int], tmp_path: Path) -> None:
    solver = SolverSpec(name)
    for extra in getattr(solver.load(), "extras", ()):
        pytest.importorskip(extra.module, exc_type=ImportError)
    trial = replace(TINY, solver=solver, training=Training(puzzles=24, epochs=2, batch=8))
    expected = plain(run_trial(trial))
    trial = replace(trial, checkpoint=tmp_path / "c")
    interrupt(trial, 1)
    assert plain(run_trial(trial)) == expected
    assert eager == [0, 0, 1]


@pytest.mark.parametrize(
    "changed",
    [
        {"role": "ceiling"},
        {"role": "reasoning"},
        {"role": "baseline", "solver": SolverSpec("mlp"), "beside": SolverSpec("grounded-satnet")},
        {"perception": PerceptionSpec.of(Reader)},
        {"solver": SolverSpec.of(Noisy)},
        {"solver": SolverSpec.of(Counting)},
        {"training": replace(TINY.training, precision="bfloat16")},
    ],
    ids=["ceiling", "reasoning", "clustered", "dropout", "noise", "extra state", "bfloat16"],
)
def test_it_may_stop_after_any_epoch_and_more_than_once(
    changed: Any, eager: list[int], tmp_path: Path
) -> None:
    trial = replace(TINY, **changed)
    expected = plain(run_trial(trial))
    trial = replace(trial, checkpoint=tmp_path / "c", trace=tmp_path / "trace.jsonl")
    interrupt(trial, 0, 1, 2, 3)
    heard: list[Point] = []
    assert plain(run_trial(trial, heard.append)) == expected
    assert heard == expected.curve
    traced = (tmp_path / "trace.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in traced] == [0, 1, 2, 3]
    assert eager == [0, 0, 1, 2, 3]


def test_what_clustering_found_is_not_sought_again(
    eager: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = Training(puzzles=24, epochs=1, batch=8, pretraining="clusters")
    trial = replace(TINY, training=training, checkpoint=tmp_path / "c")
    expected = plain(run_trial(replace(trial, checkpoint=None)))
    interrupt(trial, 0)
    monkeypatch.setattr(run, "discover_symbols", None)
    assert plain(run_trial(trial)) == expected


def test_the_seconds_are_those_of_all_its_parts(
    eager: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = replace(TINY, checkpoint=tmp_path / "c")
    interrupt(trial, 3)
    content = checkpoint.read_whole(kept(tmp_path / "c", "pt")[-1])
    content["seconds"] = 5000.0
    torch.save(content, kept(tmp_path / "c", "pt")[-1])
    assert 5000 < run_trial(trial).seconds < 5100


def test_writing_costs_a_twentieth_and_a_kill_ten_seconds_at_most() -> None:
    """Beside the epoch in flight: an epoch of 20 writes, or of 10 s on a slow disk, is always kept."""
    assert [checkpoint.due(since, 0.1) for since in (1.9, 2.1)] == [False, True]
    assert [checkpoint.due(since, 5.0) for since in (9.9, 10.1)] == [False, True]


def test_a_trial_that_is_over_before_one_is_due_writes_nothing(
    tmp_path: Path, whole: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "FIRST_COST", 30.0)
    monkeypatch.setattr(checkpoint, "LONGEST", 600.0)
    assert plain(run_trial(replace(TINY, checkpoint=tmp_path / "c"))) == whole
    assert not (tmp_path / "c").exists()


def test_one_that_costs_much_to_write_is_written_seldom(
    eager: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "FIRST_COST", 0.0)
    monkeypatch.setattr(checkpoint, "COSTS", 1e6)
    monkeypatch.setattr(checkpoint, "LONGEST", 600.0)
    interrupt(replace(TINY, checkpoint=tmp_path / "c"), 3)
    assert [path.name[-9:-3] for path in kept(tmp_path / "c", "pt")] == ["000000"]


def test_the_last_two_are_kept(eager: list[int], tmp_path: Path) -> None:
    interrupt(replace(TINY, checkpoint=tmp_path / "c"), 3)
    names = [path.name[-9:-3] for path in kept(tmp_path / "c", "pt")]
    assert names == ["000002", "000003"]
    assert [path.name[-12:-6] for path in kept(tmp_path / "c", "curve")] == names
    assert len(list((tmp_path / "c").iterdir())) == 4


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


class _Code:
    def __reduce__(self) -> Any:
        return os.mkdir, ("ran",)


def infect(path: Path) -> None:
    path.write_bytes(pickle.dumps(_Code()))


@pytest.mark.parametrize("kind", ["pt", "curve"])
@pytest.mark.parametrize("damage", [cut, flip, empty, infect, Path.unlink])
def test_where_the_last_is_damaged_the_one_before_serves(
    damage: Callable[[Path], None], kind: str, eager: list[int], tmp_path: Path,
    whole: Outcome, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    trial = replace(TINY, checkpoint=tmp_path / "c")
    interrupt(trial, 3)
    damage(kept(tmp_path / "c", kind)[-1])
    assert plain(run_trial(trial)) == whole
    assert eager == [0, 2]
    assert not (tmp_path / "ran").exists()
    said = "" if (damage, kind) == (Path.unlink, "pt") else "the checkpoint of epoch 3 is left aside"
    assert said in capsys.readouterr().err
    assert [path.name[-9:-3] for path in kept(tmp_path / "c", "pt")] == ["000002", "000003"]


def test_where_both_are_damaged_it_begins_anew(eager: list[int], tmp_path: Path, whole: Outcome) -> None:
    trial = replace(TINY, checkpoint=tmp_path / "c")
    interrupt(trial, 3)
    for path in kept(tmp_path / "c", "pt"):
        flip(path)
    assert plain(run_trial(trial)) == whole
    assert eager == [0, 0]


def test_one_of_another_trial_is_neither_used_nor_touched(
    eager: list[int], tmp_path: Path, whole: Outcome
) -> None:
    other = replace(TINY, seed=1, checkpoint=tmp_path / "c")
    interrupt(other, 3)
    before = {path: path.read_bytes() for path in (tmp_path / "c").iterdir()}
    assert plain(run_trial(replace(TINY, checkpoint=tmp_path / "c"))) == whole
    assert {path: path.read_bytes() for path in before} == before
    assert eager == [0, 0]


def test_one_under_the_name_of_another_is_found_out(
    eager: list[int], tmp_path: Path, whole: Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    trial, other = (replace(TINY, seed=seed, checkpoint=tmp_path / "c") for seed in (0, 1))
    interrupt(other, 2)
    own, foreign = checkpoint.identity_of(trial), checkpoint.identity_of(other)
    for path in list((tmp_path / "c").iterdir()):
        path.rename(path.with_name(path.name.replace(foreign, own)))
    assert plain(run_trial(trial)) == whole
    assert eager == [0, 0]
    assert "it is of another trial" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["__version__", "folder"])
def test_one_of_another_version_or_key_is_not_used(
    what: str, eager: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Outcome
) -> None:
    trial = replace(TINY, checkpoint=tmp_path / "c")
    interrupt(trial, 2)
    if what == "folder":  # whose name tells what else decides the outcome
        trial = replace(trial, checkpoint=(tmp_path / "c").rename(tmp_path / "d"))
    else:
        monkeypatch.setattr(checkpoint, what, "0.0.0")
    assert plain(run_trial(trial)) == whole
    assert eager == [0, 0]


def test_a_solver_that_was_edited_begins_anew(eager: list[int], tmp_path: Path) -> None:
    file = tmp_path / "edited.py"
    file.write_text("from groundcheck.solvers.neural import MLP\n\n\nclass Mine(MLP):\n    pass\n")
    trial = replace(TINY, solver=SolverSpec(f"{file}:Mine"), checkpoint=tmp_path / "c")
    interrupt(trial, 1)
    interrupt(trial, 2)
    file.write_text(file.read_text() + "\n# another\n")
    assert run_trial(trial).error is None
    assert eager == [0, 1, 0]


def test_a_state_that_is_no_plain_value_costs_the_checkpoint_and_not_the_trial(
    eager: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = replace(TINY, solver=SolverSpec.of(Unspeakable), checkpoint=tmp_path / "c")
    assert plain(run_trial(trial)) == plain(run_trial(replace(trial, checkpoint=None)))
    assert not kept(tmp_path / "c", "pt")
    assert capsys.readouterr().err.count("this trial goes on without a checkpoint") == 1


def test_options_that_have_no_digest_cost_the_checkpoint_and_not_the_trial(
    eager: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    solver = SolverSpec("tabled", {"table": {(0, 1): 2}}, lambda problem, table: MLP(problem, 8))
    assert run_trial(replace(TINY, solver=solver, checkpoint=tmp_path / "c")).error is None
    assert not (tmp_path / "c").exists()
    assert capsys.readouterr().err.count("this trial goes on without a checkpoint") == 1


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file may grow beyond 4 kB: writing fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_costs_the_checkpoint_and_not_the_trial(
    eager: list[int], tmp_path: Path, whole: Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plain(run_trial(replace(TINY, checkpoint=tmp_path / "c"))) == whole
    assert not [path for path in (tmp_path / "c").iterdir() if path.suffix != ".curve"]
    assert capsys.readouterr().err.count("this trial goes on without a checkpoint") == 1


def test_a_folder_that_cannot_be_made_costs_the_checkpoint_and_not_the_trial(
    eager: list[int], tmp_path: Path, whole: Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert plain(run_trial(replace(TINY, checkpoint=tmp_path / "file" / "c"))) == whole
    assert capsys.readouterr().err.count("this trial goes on without a checkpoint") == 1


def test_it_goes_on_where_another_process_scores(eager: list[int], tmp_path: Path, whole: Outcome) -> None:
    trial = replace(TINY, checkpoint=tmp_path / "c")
    interrupt(trial, 1)
    shutil.copytree(tmp_path / "c", tmp_path / "elsewhere" / "c")
    assert plain(run_here(trial)) == whole
    assert eager == [0, 1]
    outcomes: list[Outcome] = []
    moved = replace(trial, checkpoint=tmp_path / "elsewhere" / "c")
    run_trials([moved], 1, lambda _, outcome: outcomes.append(outcome))
    assert [plain(outcome) for outcome in outcomes] == [whole]


def test_scoring_goes_on_from_its_own_points_alone(eager: list[int], tmp_path: Path) -> None:
    trial = replace(TINY, checkpoint=tmp_path / "c")
    interrupt(trial, 3)
    key = checkpoint.identity_of(trial)
    scoring = LocalSession(trial)
    for epoch in (1, 4):  # no longer kept, never measured
        with pytest.raises(OSError, match="No such file"):
            scoring.resume(key, epoch)
    with pytest.raises(ValueError, match="no folder"):
        scoring.resume("../else", 3)
    points = scoring.resume(key, 3)
    assert [point.epoch for point in points] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="cannot go back"):  # so that no bad point is undone
        scoring.resume(key, 2)
    assert scoring.curve == points


# What a process that can be killed does: it notes its epochs in a file, as whoever is killed cannot tell.
NOTING = """
import pickle
from pathlib import Path
from groundcheck.grounding.trials import checkpoint
from groundcheck.grounding.trials.run import run_trial

checkpoint.COSTS = 0

def note(point):
    with Path(ended).open("a") as file:
        file.write(f"{point.epoch}\\n")

Path(outcome).write_bytes(pickle.dumps(run_trial(trial, note)))
"""


def test_killed_at_random_moments_it_loses_at_most_the_epoch_in_flight(tmp_path: Path) -> None:
    trial = replace(TINY, training=Training(puzzles=64, epochs=12, batch=8), checkpoint=tmp_path / "c")
    expected = run_trial(replace(trial, checkpoint=None))
    moments, last = random.Random(0), 0
    for attempt in range(20):
        ended, outcome = tmp_path / f"{attempt}", tmp_path / "outcome"
        names = {"trial": trial, "ended": str(ended), "outcome": str(outcome)}
        process = process_context().Process(target=exec, args=(NOTING, names))
        process.start()
        if attempt < 3:
            process.join(moments.uniform(0.3, 1.0) * expected.seconds)
            process.kill()  # unless it has ended
        process.join()
        noted = [int(line) for line in ended.read_text().split()] if ended.exists() else []
        assert noted == list(range(len(noted)))
        assert not noted or len(noted) - 1 >= last  # what had ended was not trained again
        last = max(last, len(noted) - 1)
        if process.exitcode == 0:
            assert plain(pickle.loads(outcome.read_bytes())) == plain(expected)
            break
    assert last == 12
