"""Perception as part of a run: of its trials, its keys, its record, its report, and of what is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from groundcheck.datasets.errors import UnknownNameError, UsageError
from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.pictures import Pictures
from groundcheck.grounding.engines.children import NO_LIMITS, OUTSIDE_LIMITS
from groundcheck.grounding.engines.processes import Processes
from groundcheck.grounding.gate.project import read_project
from groundcheck.grounding.perception.mlp import MLP
from groundcheck.grounding.perception.spec import PerceptionSpec
from groundcheck.grounding.results import run_directory
from groundcheck.grounding.results.comparison import compare
from groundcheck.grounding.results.report import PerceptionRecord, Report
from groundcheck.grounding.results.run_directory import key_of
from groundcheck.grounding.suite.budget import Budget
from groundcheck.grounding.suite.report_io import rebuild
from groundcheck.grounding.suite.settings import apply_perception_settings
from groundcheck.grounding.suite.suite import plan_suite
from groundcheck.grounding.trials.run import run_trial
from groundcheck.grounding.trials.session import without_solver
from groundcheck.grounding.trials.spec import SolverSpec
from groundcheck.grounding.trials.training import Training
from groundcheck.grounding.trials.trial import Trial

TASK = Mapping(symbols=4)
SHORT = Training(puzzles=24, epochs=1, batch=8)
LONGER = replace(SHORT, epochs=12, perception_rate=1e-2)


def colours() -> Pictures:
    """Pictures of four colours, which any perception tells apart."""
    rng = np.random.default_rng(0)
    labels = np.arange(160) % 4
    paint = np.array([[220, 30, 30], [30, 220, 30], [30, 30, 220], [220, 220, 30]])[labels]
    pixels = paint[:, :, None, None] + rng.integers(-30, 31, (160, 3, 8, 8))
    return Pictures(pixels.clip(0, 255).astype(np.uint8), labels, names=["red", "green", "blue", "yellow"])


COLOURS = ImageSource("colours", source=colours)
TRIAL = Trial(task=TASK, solver=SolverSpec("mlp"), role="ceiling", seed=0, training=SHORT)


class Small(nn.Module):
    def __init__(self, image_shape: tuple[int, int, int], symbols: int, width: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(int(np.prod(image_shape)), width), nn.ReLU(), nn.Linear(width, symbols)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers(images)


def test_options_of_perception_are_written_with_its_name_in_front() -> None:
    settings = {"perception.hidden": 8, "hidden": 5, "perception.weights": "w.pt"}
    rest, found = apply_perception_settings(settings, PerceptionSpec("mlp", {"layers": 1}))
    assert rest == {"hidden": 5}
    assert found == PerceptionSpec("mlp", {"layers": 1, "hidden": 8, "weights": "w.pt"})
    assert apply_perception_settings({"perception.width": 8}, PerceptionSpec.of(Small))[1].options == {
        "width": 8
    }
    with pytest.raises(UnknownNameError, match="perception mlp has no option 'hiden': did you mean hidden"):
        apply_perception_settings({"perception.hiden": 8}, PerceptionSpec("mlp"))
    with pytest.raises(UnknownNameError, match="perception lenet has no option 'size': it has weights"):
        apply_perception_settings({"perception.size": 8}, PerceptionSpec())
    with pytest.raises(UsageError, match="stem='large': it is 'auto' or 'small' or 'imagenet'"):
        apply_perception_settings({"perception.stem": "large"}, PerceptionSpec("resnet18"))


def test_every_trial_beside_the_solver_has_the_same_perception() -> None:
    budget = Budget(1, 1, {"perception.hidden": 8})
    suite = plan_suite("exact", [TASK], COLOURS, budget, "mlp")
    trials = [trial for _, trial in suite.trials_of(0)]
    assert {trial.role for trial in trials} == {"grounding", "baseline", "ceiling", "reasoning"}
    assert [trial.perception for trial in trials] == [PerceptionSpec("mlp", {"hidden": 8})] * 4
    assert suite.asked["perception"] == {"name": "mlp", "options": {"hidden": 8}, "files": {}}
    assert "perception" not in plan_suite("exact", [TASK], ImageSource(), Budget(1)).asked


@pytest.mark.parametrize(
    ("perception", "told"),
    [
        ("lenet", "lenet reads images of 16 pixels a side or more, and these are 3×8×8"),
        ("lenett", "unknown perception 'lenett': did you mean lenet"),
        ("torchvision:alexnet", "torchvision:alexnet does not read images of 3×8×8"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_trains(perception: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        plan_suite("exact", [TASK], COLOURS, Budget(1), perception)


def test_a_trial_is_another_with_another_perception_other_weights_or_classes(tmp_path: Path) -> None:
    torch.save(MLP((1, 28, 28), 4).state_dict(), tmp_path / "w.pt")
    weights = {"weights": str(tmp_path / "w.pt")}
    trials = [
        TRIAL,
        replace(TRIAL, perception=PerceptionSpec("mlp")),
        replace(TRIAL, perception=PerceptionSpec("mlp", {"hidden": 9})),
        replace(TRIAL, perception=PerceptionSpec("mlp", weights)),
        replace(TRIAL, images=ImageSource(classes=("1", "2", "3", "4"))),
    ]
    keys = {key_of(trial) for trial in trials}
    torch.save(MLP((1, 28, 28), 4).state_dict(), tmp_path / "w.pt")
    assert len(keys | {key_of(trials[3])}) == len(trials) + 1


def test_the_usual_perception_leaves_keys_of_earlier_runs_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a key is made of names neither perception nor classes, as before there was a choice of them."""
    decides: list[dict[str, Any]] = []
    monkeypatch.setattr(run_directory, "plain", lambda found: decides.append(found) or {})
    key_of(TRIAL)
    key_of(replace(TRIAL, perception=PerceptionSpec("mlp"), images=ImageSource(classes=("1",))))
    assert decides[1].keys() - decides[0].keys() == {"perception", "classes"}


def test_images_of_any_shape_are_trained_on_and_read_the_same_twice() -> None:
    trial = replace(TRIAL, images=COLOURS, perception=PerceptionSpec.of(Small), training=LONGER)
    outcomes = [replace(run_trial(trial), seconds=0.0) for _ in range(2)]
    assert outcomes[0] == outcomes[1]
    assert outcomes[0].error is None
    assert outcomes[0].scores is not None
    assert outcomes[0].scores.raw > 0.9  # with labels, four colours are soon told apart


def test_chosen_classes_are_what_is_scored() -> None:
    source = replace(COLOURS, classes=("yellow", "blue", "green", "red"))
    trial = replace(TRIAL, images=source, perception=PerceptionSpec.of(Small), training=LONGER)
    scores = run_trial(trial).scores
    assert scores is not None
    assert scores.raw > 0.9


def test_a_perception_that_breaks_is_told_by_the_trial() -> None:
    def broken(image_shape: Any, symbols: int) -> nn.Module:
        raise RuntimeError("no licence")

    error = run_trial(replace(TRIAL, perception=PerceptionSpec.of(broken))).error
    assert error is not None
    assert error.endswith("images 1×28×28 and 4 symbols: RuntimeError: no licence")
    assert "raise RuntimeError" in error


def test_who_scores_is_told_the_name_of_a_perception_and_nothing_to_import() -> None:
    trial = replace(TRIAL, perception=PerceptionSpec("mine", {"a": object()}, Small))
    assert without_solver(trial).perception == PerceptionSpec("mine")


def test_a_perception_from_outside_runs_in_processes_of_its_own() -> None:
    ours, images, outside = SolverSpec("mlp"), ImageSource(), PerceptionSpec("mine:Net")
    here = PerceptionSpec.of(lambda shape, symbols: nn.Identity())
    assert Processes(3).fitted(ours, images, PerceptionSpec("resnet18")) == Processes(3, False, NO_LIMITS)
    assert Processes(3).fitted(ours, images, outside) == Processes(3, True, OUTSIDE_LIMITS)
    assert Processes(3, False).fitted(ours, images, outside) == Processes(3, False, NO_LIMITS)
    assert Processes(3).fitted(ours, images, here) == Processes(0, False, NO_LIMITS)
    script = ImageSource.of(lambda: colours())  # noqa: PLW0108 - what a notebook would define
    assert Processes(3).fitted(ours, script) == Processes(0, False, NO_LIMITS)


def test_reports_name_perception_and_classes_and_older_ones_are_read(report: Report, tmp_path: Path) -> None:
    own = replace(report, perception=PerceptionRecord("mlp", {"hidden": 8}), classes=["1", "2"])
    own.write(tmp_path / "own.json")
    found = Report.read(tmp_path / "own.json")
    assert (found.perception, found.classes) == (own.perception, own.classes)
    assert found.perception.message == "mlp (hidden=8)"
    record = json.loads((tmp_path / "own.json").read_text())
    del record["perception"], record["classes"]
    (tmp_path / "older.json").write_text(json.dumps(record))
    assert Report.read(tmp_path / "older.json").perception == PerceptionRecord()


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"perception": PerceptionRecord("mlp")}, "perception is lenet in one and mlp in the other"),
        ({"perception": PerceptionRecord(files={"weights": "ab"})}, "content of its weights"),
        ({"classes": ["1", "2"]}, "classes of the images"),
    ],
)
def test_reports_with_other_perceptions_or_classes_are_not_compared(
    report: Report, other: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        compare([report, replace(report, **other)])


def test_a_run_that_was_killed_is_rebuilt_with_its_perception(tmp_path: Path) -> None:
    suite = plan_suite("exact", [TASK], ImageSource(classes=("3", "1", "4", "5")), Budget(1), "mlp")
    settings = {**suite.asked, "images_digest": "0"}
    run = {"schema": 2, "settings": settings, "environment": {}}
    (tmp_path / "run.json").write_text(json.dumps(run))
    found = rebuild(tmp_path)
    assert (found.perception, found.classes) == (PerceptionRecord("mlp"), ["3", "1", "4", "5"])


def test_a_profile_names_perception_and_classes(tmp_path: Path) -> None:
    path = tmp_path / "groundcheck.toml"
    path.write_text('[profiles.p]\nperception = "resnet18"\nclasses = ["a", "b"]\n')
    found = read_project(path).profile("p")
    assert (found.perception, found.classes) == ("resnet18", ("a", "b"))
    path.write_text('[profiles.p]\nclasses = "a,b"\n')
    with pytest.raises(UsageError, match=r"line 2: profiles\.p\.classes: a list of texts is expected"):
        read_project(path)
