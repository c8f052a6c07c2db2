"""The callbacks with the libraries that they are for; where one is not installed its test skips."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from groundcheck.datasets.mapping import Mapping
from groundcheck.datasets.vision import import_torchvision
from groundcheck.grounding.judging.callbacks import (
    LIGHTNING,
    TRANSFORMERS,
    lightning_callback,
    trainer_callback,
)
from groundcheck.grounding.judging.monitor import Monitor
from groundcheck.solvers.extras import Extra, MissingExtraError

TASK = Mapping(symbols=3, bijection="identity")
ROWS = 8
ROOT = Path(__file__).parents[3].resolve()
pytestmark = pytest.mark.filterwarnings("ignore")  # of libraries that are not ours


@pytest.fixture(autouse=True)
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from the checkout, whose folder `datasets` transformers takes for the library of that name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if Path(path or ".").resolve() != ROOT])


def library(extra: Extra) -> Any:
    """The library, imported; both import torchvision, of which a CUDA build may stand beside a CPU torch."""
    if not extra.installed:
        pytest.skip(f"{extra.package} is not installed")
    if importlib.util.find_spec("torchvision"):
        import_torchvision()
    return extra.load()


class Reader(nn.Module):
    """Reads three symbols, and answers what it read."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(784, 3)

    def read(self, images: torch.Tensor) -> torch.Tensor:
        return self.layer(images.flatten(1)).softmax(-1)

    def answer(self, images: torch.Tensor, place: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
        assert not self.training
        return self.read(images).argmax(-1)[place.clamp_min(0)[:, :1]].expand(given.shape)


def examples() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(ROWS, 784, generator=generator), torch.arange(ROWS) % 3


def require_curve(monitor: Monitor) -> None:
    assert [point.epoch for point in monitor.curve] == [0, 1, 2]
    assert monitor.curve[0].loss is None
    assert monitor.curve[1].loss is not None
    assert monitor.curve[2].loss is not None
    assert monitor.curve[1].loss > monitor.curve[2].loss
    assert monitor.outcome is not None
    assert monitor.outcome.curve == monitor.curve
    assert monitor.report().tasks[0].judgement.verdict == "INCONCLUSIVE"


def test_lightning(tmp_path: Path) -> None:
    pl = library(LIGHTNING)
    monitor = Monitor(TASK, puzzles=20)

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.reader = Reader()

        def training_step(self, batch: Any, _: int) -> torch.Tensor:
            images, labels = batch
            assert self.training
            assert self.reader.training
            loss = nn.functional.cross_entropy(monitor.watch(self.reader.layer(images)), labels)
            self.log("train_loss", loss, on_epoch=True)
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), 1e-2)

    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*examples()), batch_size=4)
    callback = lightning_callback(monitor, lambda module: module.reader)
    assert isinstance(callback, pl.Callback)
    trainer = pl.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=tmp_path, callbacks=[callback],
    )  # fmt: skip
    trainer.fit(Module(), loader)
    require_curve(monitor)
    assert monitor.curve[0].gradient is None
    assert monitor.curve[1].gradient is not None
    assert monitor.curve[1].gradient > 0
    assert monitor.curve[1].no_gradient == 0.0


@pytest.mark.parametrize("logging", ["epoch", "steps"])
def test_hugging_face_trainer(tmp_path: Path, logging: str) -> None:
    transformers = library(TRANSFORMERS)
    if not importlib.util.find_spec("accelerate"):
        pytest.skip("accelerate, which the Trainer needs, is not installed")
    monitor = Monitor(TASK, puzzles=20)

    class Model(Reader):
        def forward(self, pixels: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"loss": nn.functional.cross_entropy(monitor.watch(self.layer(pixels)), labels)}

    images, labels = examples()
    rows = [{"pixels": image, "labels": label} for image, label in zip(images, labels, strict=True)]
    asked = transformers.TrainingArguments(
        output_dir=str(tmp_path), num_train_epochs=2, per_device_train_batch_size=4, learning_rate=1e-2,
        logging_strategy=logging, logging_steps=1, save_strategy="no", report_to=[], use_cpu=True,
        disable_tqdm=True,
    )  # fmt: skip
    callback = trainer_callback(monitor)
    assert isinstance(callback, transformers.TrainerCallback)
    trainer = transformers.Trainer(model=Model(), args=asked, train_dataset=rows, callbacks=[callback])
    trainer.train()
    require_curve(monitor)


@pytest.mark.parametrize(
    ("make", "extra"), [(lightning_callback, LIGHTNING), (trainer_callback, TRANSFORMERS)]
)
def test_a_library_that_is_not_installed_is_named(
    make: Any, extra: Extra, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, extra.module, None)
    with pytest.raises(MissingExtraError, match=rf"needs {extra.package}, .*groundcheck\[callbacks\]"):
        make(Monitor(None))
