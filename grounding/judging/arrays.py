"""Judging what was predicted elsewhere, from arrays alone."""

import re
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, cast

from ...datasets.errors import UsageError
from ...datasets.own_task import find_task
from ...datasets.task import Task
from ..results.report import Report
from ..trials.trial import Outcome, Role
from .ceilings import Beside, Ceiling, as_number, ceilings_for, require_accuracy
from .files import read_arrays
from .judged import OWN_TASK, Judged, joined_digest, require_rules
from .predictions import Predictions, make_predictions
from .scoring import score_predictions
from .seeds import require_alike

NO_INTERFACE = "no interface: nothing was intervened on, so that it is not known where answers come from"
DRAWN_HALF = (
    "the relabelling was fitted on a half of the images that was drawn here, and the other half is scored"
)
Source = Mapping[str, Any] | str | Path


def score(
    *seeds: Source,
    task: str | Task | None = None,
    ceiling: float | Source | Sequence[float | Source] | None = None,
    baseline: Source | Sequence[Source] | None = None,
    rules: str = "learned",
    name: str | None = None,
) -> Report:
    """Judges what runs predicted, from arrays: whether their symbols are grounded, without any network.

    Args:
        *seeds: Predictions of each seed: a mapping of arrays by name, or a file of them (.npz, .csv or
            .parquet).
        task: A task or its name, so that its rules are looked at as well; None: the arrays alone are judged.
        ceiling: What the same perception reaches trained with labels, as aligned accuracy or as predictions;
            one for all seeds, or one for each. None: only GROUNDED can be told.
        baseline: Predictions of the same network without logic, for each seed.
        rules: Whether the method "learned" the rules, or was "given" them; then symbols have their names.
        name: What the report calls it.

    Returns:
        The report, as `check` returns it.

    Raises:
        UsageError: For arrays that are missing, unknown, of another shape, or hold what they cannot.
        MissingExtraError: For a Parquet file without pyarrow.
    """
    if not seeds:
        raise UsageError("no predictions to judge: hand over the arrays, or the file, of at least one seed")
    chosen = find_task(task) if isinstance(task, str) else task
    named = require_rules(rules)
    found = [predictions_from(source, f"seed {n}", _of_seed(chosen, n)) for n, source in enumerate(seeds)]
    require_alike(found)
    called = name or _name_of(seeds)
    outcomes = [_outcome(one, "grounding", called, number, chosen) for number, one in enumerate(found)]
    beside = [
        Beside(outcome, one.completions, one.readings) for outcome, one in zip(outcomes, found, strict=True)
    ]
    listed = each(baseline)
    if len(listed) not in (0, len(found)):
        raise UsageError(
            f"{len(listed)} baselines for {len(found)} seeds: give one for each, in the same order"
        )
    baselines = [
        _outcome(predictions_from(source, f"baseline {n}", _of_seed(chosen, n)), "baseline", "", n, chosen)
        for n, source in enumerate(listed)
    ]
    drawn = any(one.readings and one.readings.drawn for one in found)
    return Judged(
        name=called,
        outcomes=outcomes,
        ceilings=ceilings_for([as_ceiling(one) for one in each(ceiling)], beside),
        baselines=baselines,
        task=chosen,
        rules=named,
        digest=joined_digest([one.judged_on for one in found]),
        lacking=[NO_INTERFACE],
        notes=[DRAWN_HALF] if drawn else [],
    ).report()


def predictions_from(source: Source, called: str, task: Task | None) -> Predictions:
    """Predictions of a file, or of arrays that messages call `called`."""
    if isinstance(source, Mapping):
        return make_predictions(source, called, task)
    if not isinstance(source, str | Path):  # pyright: ignore[reportUnnecessaryIsInstance]  # from a user
        raise UsageError(
            f"{called} is a {type(source).__name__}: hand over a mapping of arrays by name, or a file's path"
        )
    return make_predictions(read_arrays(Path(source)), str(source), task)


def as_ceiling(given: float | Source) -> Ceiling:
    """From what a user says: a number, or predictions."""
    if isinstance(given, int | float):
        require_accuracy(float(given))
        return Ceiling(float(given))
    if isinstance(given, str) and (accuracy := as_number(given)) is not None:
        return Ceiling(accuracy)
    return Ceiling(predictions=predictions_from(given, "the ceiling", None))


def each(given: Any) -> list[Any]:
    """None as nothing, one as a list of one."""
    if given is None:
        return []
    return list(cast("Sequence[Any]", given)) if isinstance(given, list | tuple) else [given]


def _of_seed(task: Task | None, seed: int) -> Task | None:
    return task and task.drawn(seed)


def _outcome(predictions: Predictions, role: Role, name: str, seed: int, task: Task | None) -> Outcome:
    return Outcome(role, task.name if task else OWN_TASK, name, seed, score_predictions(predictions))


def _name_of(seeds: Sequence[Source]) -> str:
    """What the files of all seeds are called, without the number of each."""
    paths = [Path(source).stem for source in seeds if not isinstance(source, Mapping)]
    same = (letters[0] for letters in takewhile(lambda two: len({*two}) == 1, zip(*paths, strict=False)))
    common = "".join(same)
    return re.sub(r"[\W_]*(seed)?[\W_]*\d*$", "", common) or "predictions"
