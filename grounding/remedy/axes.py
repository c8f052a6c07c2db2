"""What a search may change: settings of training, and options that a solver declares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...datasets.errors import UsageError
from ...datasets.task import Setting
from ..perception.spec import PerceptionSpec
from ..suite.settings import apply_settings
from ..suite.suite import Suite
from ..trials.training import METHODS, Training

Changes = Mapping[str, Any]  # values by the name of a setting, as `check --set` takes them
PERCEPTION = "perception"  # the one axis that is an option of its own, `check --perception`
READERS = ("hashed", "hypernetwork")  # tried in place of the usual one


@dataclass(frozen=True)
class Axis:
    """One setting, with the values that are tried in place of the one it has.

    Attributes:
        name: As `--set` takes it.
        usual: What it has where it is not changed.
        values: What is tried; the first of each axis are tried first.
        needs: Another setting without which this one changes nothing; "" where it stands alone.
    """

    name: str
    usual: Setting
    values: tuple[Setting, ...]
    needs: str = ""


def axes_of(suite: Suite, fixed: Mapping[str, Any]) -> list[Axis]:
    """The axes of a search, those that cost least first.

    Args:
        suite: The solver as it is, on one task.
        fixed: Settings that a user chose: they stay.

    Raises:
        UsageError: For a range that a solver declares of an option that it has not, or with a value that the
            option cannot have.
    """
    found = [*_of_training(suite), *_declared(suite)]
    kept = [axis for axis in found if axis.values and axis.name.rpartition(".")[2] not in _names(fixed)]
    known = {axis.name for axis in kept} | _names(fixed)
    return [axis for axis in kept if not axis.needs or axis.needs in known]


def _names(settings: Mapping[str, Any]) -> set[str]:
    return {name.rpartition(".")[2] for name in settings}


def _of_training(suite: Suite) -> list[Axis]:
    [run] = suite.runs
    training, factory = run.training, suite.spec.load()
    solver_rate = training.solver_rate or getattr(factory, "learning_rate", 1e-3)
    perception_rate = training.perception_rate or getattr(factory, "perception_rate", 1e-3)
    pretraining = training.pretraining or getattr(factory, "pretraining", "none")
    alone = [max(1, training.epochs // part) for part in (10, 4)] if training.epochs > 1 else []
    tried: dict[str, tuple[Any, Sequence[Any], str]] = {
        "information": (training.information, (1.0, 0.3, 3.0), ""),
        "interface": (training.interface, ("straight-through", "sigmoid"), ""),
        "solver_rate": (solver_rate, _times(solver_rate, (0.25, 4.0, 0.5, 2.0)), ""),
        "perception_rate": (perception_rate, _times(perception_rate, (0.25, 4.0, 0.5, 2.0)), ""),
        "loss": (training.loss, ("bce", "likelihood"), ""),
        "clip": (training.clip, (1.0, 0.1), ""),
        "temperature": (training.temperature, (2.0, 0.5), ""),
        "annealed_from": (training.annealed_from, (4.0, 2.0), ""),
        "solver_first": (training.solver_first, alone, ""),
        "perception_first": (training.perception_first, alone, ""),
        "curriculum": (training.curriculum, (0.5, 0.25) if _queries(suite) > 1 else (), ""),
        "batch": (training.batch, (max(1, training.batch // 2), training.batch * 2), ""),
        "pretraining": (pretraining, ("clusters", "none"), ""),
        "epochs": (training.epochs, (training.epochs * 2, training.epochs * 4), ""),
        **{
            name: (getattr(training, name), method.tried, "")
            for name, method in METHODS.items()
            if not (method.learns_rules and suite.rules_given)
        },
        PERCEPTION: (suite.perception.name, READERS if suite.perception.usual else (), ""),
        "information_from": (training.information_from, (0.5, 0.0), "information"),
    }
    return [
        Axis(name, usual, _others(usual, values), needs) for name, (usual, values, needs) in tried.items()
    ]


def reader_of(changes: Changes, usual: PerceptionSpec) -> tuple[dict[str, Any], PerceptionSpec]:
    """The changes that are settings, and the perception that is left or put in the place of the usual one."""
    rest = dict(changes)
    name = rest.pop(PERCEPTION, None)
    return rest, usual if name is None else PerceptionSpec(name)


def _queries(suite: Suite) -> int:
    """The most queries that a puzzle has: a curriculum gives some of several."""
    task = suite.runs[0].task.drawn(0)
    return int((~task.generate("train", 8, 0).given).sum(1).max())


def _declared(suite: Suite) -> list[Axis]:
    [run] = suite.runs
    factory, options = suite.spec.load(), suite.spec.options
    found: list[Axis] = []
    for name, values in getattr(factory, "ranges", {}).items():
        full = f"solver.{name}" if name in Training.__dataclass_fields__ else name
        for value in values:
            try:
                apply_settings({f"solver.{name}": value}, [run.task], suite.spec, [run.training])
            except UsageError as error:
                raise UsageError(
                    f"{suite.spec.name} declares ranges, and {name} does not fit: {error}"
                ) from error
        usual = options.get(name, _default(factory, name))
        found.append(Axis(full, usual, _others(usual, values)))
    return found


def _default(factory: Any, name: str) -> Any:
    from ..suite.options import options_of  # noqa: PLC0415

    known = options_of(factory).known
    return known[name].default if name in known else None


def _times(rate: float, factors: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(f"{rate * factor:.3g}") for factor in factors)


def _others(usual: Any, values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(value for value in dict.fromkeys(values) if value != usual)
