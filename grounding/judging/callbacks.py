"""A `Monitor` as a callback of Lightning, and of Hugging Face's Trainer.

The libraries are imported when a callback is made: who makes one has imported them.
"""

from collections.abc import Callable
from dataclasses import replace
from statistics import fmean
from typing import Any

from ...solvers.extras import Extra
from .monitor import Monitor

LIGHTNING = Extra("lightning.pytorch", "lightning", "callbacks")
TRANSFORMERS = Extra("transformers", "transformers", "callbacks")
AsNetwork = Callable[[Any], Any]


def lightning_callback(
    monitor: Monitor, network: AsNetwork = lambda module: module, *, loss: str = "train_loss"
) -> Any:
    """A `lightning.pytorch.Callback` that measures before training, after every epoch, and then finishes.

    Args:
        monitor: Records the curve.
        network: From the LightningModule to what a monitor takes; by default the module itself.
        loss: The name under which the module logs its training loss.

    Raises:
        MissingExtraError: Where Lightning is not installed.
    """
    base: Any = LIGHTNING.load().Callback

    class MonitorCallback(base):
        """Hands the module to the monitor."""

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            """Before the first step."""
            del trainer
            if not monitor.curve:
                monitor.epoch(network(pl_module))

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            """After every epoch."""
            logged = trainer.callback_metrics.get(loss)
            monitor.epoch(network(pl_module), loss=None if logged is None else float(logged))

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            """After the last."""
            del trainer
            monitor.finish(network(pl_module))

    return MonitorCallback()


def trainer_callback(monitor: Monitor, network: AsNetwork = lambda model: model) -> Any:
    """A `transformers.TrainerCallback` that measures before training, after every epoch, and then finishes.

    Args:
        monitor: Records the curve; the loss of an epoch is the mean of those that the Trainer logged.
        network: From the model to what a monitor takes; by default the model itself.

    Raises:
        MissingExtraError: Where transformers is not installed.
    """
    base: Any = TRANSFORMERS.load().TrainerCallback

    class MonitorCallback(base):
        """Hands the model to the monitor."""

        def __init__(self) -> None:
            super().__init__()
            self.losses: list[float] = []  # logged in this epoch

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            """Before the first step."""
            del args, state, control
            if not monitor.curve:
                monitor.epoch(network(kwargs["model"]))

        def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            """After every epoch."""
            del args, state, control
            monitor.epoch(network(kwargs["model"]), loss=fmean(self.losses) if self.losses else None)
            self.losses.clear()

        def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            """While an epoch runs; or, where the Trainer logs once an epoch, just after it has ended."""
            del args, state, control
            loss = kwargs.get("logs", {}).get("loss")
            if loss is None:
                return
            if monitor.curve[1:] and monitor.curve[-1].loss is None:
                monitor.curve[-1] = replace(monitor.curve[-1], loss=float(loss))
            else:
                self.losses.append(float(loss))

        def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            """After the last."""
            del args, state, control
            monitor.finish(network(kwargs["model"]))

    return MonitorCallback()
