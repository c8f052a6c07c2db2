"""What a run predicted, as arrays: which there are, and whether they are what they should be."""

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from ...datasets.errors import UnknownNameError, UsageError
from ...datasets.task import Task
from ..measures.counts import count_of
from .array_checks import (
    ARRAYS,
    OF_IMAGES,
    OF_PUZZLES,
    below,
    first_where,
    numbers,
    probabilities,
    shaped,
    truths,
    whole,
)

AS_TRAINED = "set the task as it was trained, with --set NAME=VALUE"


@dataclass(frozen=True)
class Readings:
    """What was read of the images: of those of `fit` for the relabelling, of the others for the scores."""

    true: Int[np.ndarray, " images"]
    read: Int[np.ndarray, " images"]
    fit: Bool[np.ndarray, " images"]
    symbols: int  # how many there are
    confidence: Float[np.ndarray, " images"] | None = None  # of the symbol that was read
    drawn: bool = False  # whether the half was drawn here


@dataclass(frozen=True)
class Completions:
    """What was answered: the completion is NaN where nothing was, `image` −1 where none is shown."""

    solution: Int[np.ndarray, "puzzles variables"]
    given: Bool[np.ndarray, "puzzles variables"]
    completion: Float[np.ndarray, "puzzles variables symbols"]
    image: Int[np.ndarray, "puzzles variables"]


@dataclass(frozen=True)
class Predictions:
    """What one seed of a run predicted, checked.

    Attributes:
        source: What messages call it.
        readings: Of its images; None where the arrays hold none.
        completions: Of its puzzles; None where the arrays hold none.
        digest: SHA-256 over all of it.
        judged_on: SHA-256 over what it is scored on: true symbols, solutions, givens, images.
    """

    source: str
    readings: Readings | None
    completions: Completions | None
    digest: str
    judged_on: str
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # of its arrays, without their rows


def make_predictions(arrays: Mapping[str, Any], source: str, task: Task | None = None) -> Predictions:
    """Predictions from arrays by name; what is wrong with them is told in a sentence.

    Args:
        arrays: NumPy arrays, or what becomes one (lists, tensors on the CPU); see `ARRAYS`.
        source: What messages call them: a file, a seed.
        task: The task that they are of; None where nothing is known of the rules.

    Raises:
        UsageError: For arrays that are missing, unknown, of another shape, or hold what they cannot.
    """
    _require_names(arrays, source)
    found = {name: numbers(arrays[name], name, source) for name in ARRAYS if name in arrays}
    readings = _readings(found, source, task) if "true" in found else None
    completions = _completions(found, source, task) if "solution" in found else None
    if readings is not None and completions is not None:
        _require_same_symbols(readings, completions, source)
    elif completions is not None and (completions.image >= 0).any():
        raise UsageError(
            f"{source}: `image` names images, and there are none: add `true` with `symbols` or `beliefs`, or "
            "leave `image` out"
        )
    return Predictions(
        source,
        readings,
        completions,
        digest=_digest(found, ARRAYS),
        judged_on=_digest(found, ("true", "solution", "given", "image")),
        shapes={name: array.shape[1:] for name, array in found.items()},
    )


def _require_names(arrays: Mapping[str, Any], source: str) -> None:
    for name in arrays:
        if name not in ARRAYS:
            near = difflib.get_close_matches(name, ARRAYS, n=1, cutoff=0.5)
            hint = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(ARRAYS)}"
            raise UnknownNameError(f"{source}: unknown array `{name}`: {hint}")
    if not arrays:
        raise UsageError(f"{source} holds no arrays: it needs {', '.join(ARRAYS)}, or some of them")
    of_images, of_puzzles = (any(name in arrays for name in group) for group in (OF_IMAGES, OF_PUZZLES))
    if of_images:
        _require(arrays, "true", source)
        if ("symbols" in arrays) == ("beliefs" in arrays):
            both = "both `symbols` and" if "symbols" in arrays else "neither `symbols` nor"
            raise UsageError(f"{source} has {both} `beliefs`: give what was read as one of them")
    if of_puzzles:
        for name in ("solution", "given", "answers"):
            _require(arrays, name, source)
    if of_images and of_puzzles:
        _require(arrays, "image", source)


def _require(arrays: Mapping[str, Any], name: str, source: str) -> None:
    if name not in arrays:
        raise UsageError(f"{source} has no array `{name}`: {ARRAYS[name]}")


def _readings(found: Mapping[str, np.ndarray], source: str, task: Task | None) -> Readings:
    shaped(found["true"], "true", source, 1)
    true = whole(found["true"], "true", source, 0)
    confidence, count = None, len(task.classes) if task else None
    if "beliefs" in found:
        shaped(found["beliefs"], "beliefs", source, 2, len(true))
        beliefs = probabilities(found["beliefs"], "beliefs", source, unsolved=False)
        if count is not None and beliefs.shape[1] != count:
            assert task is not None
            raise UsageError(
                f"{source}: `beliefs` are about {beliefs.shape[1]} symbols, and {task.name} shows {count}: "
                f"{AS_TRAINED}"
            )
        count = beliefs.shape[1]
        read, confidence = beliefs.argmax(-1), beliefs.max(-1).clip(0, 1)
    else:
        shaped(found["symbols"], "symbols", source, 1, len(true))
        read = whole(found["symbols"], "symbols", source, 0)
        count = count or max(int(true.max()), int(read.max()), 1) + 1
        below(read, count, "symbols", source, "the symbols are")
    below(true, count, "true", source, "the symbols are")
    fit, drawn = _fit(found, source, len(true))
    return Readings(true, read, fit, count, confidence, drawn)


def _fit(
    found: Mapping[str, np.ndarray], source: str, images: int
) -> tuple[Bool[np.ndarray, " images"], bool]:
    """Which images the relabelling is fitted on, and whether they were drawn here."""
    if "fit" not in found:
        if images < 2:
            raise UsageError(f"{source} has 1 image: a half to fit on and a half to score takes two or more")
        return np.random.default_rng(0).permutation(images) < images // 2, True
    shaped(found["fit"], "fit", source, 1, images)
    fit = truths(found["fit"], "fit", source)
    if not fit.any() or fit.all():
        left = "none of the images: the relabelling has nothing to be fitted on" if not fit.any() else (
            "all of the images: nothing is left to score"
        )  # fmt: skip
        raise UsageError(f"{source}: `fit` marks {left}; mark some, or leave it out to have a half drawn")
    return fit, False


def _completions(found: Mapping[str, np.ndarray], source: str, task: Task | None) -> Completions:
    shaped(found["solution"], "solution", source, 2)
    solution = whole(found["solution"], "solution", source, 0)
    domains = np.asarray(task.problem.domains) if task else None
    if task is not None and domains is not None:
        if solution.shape[1] != len(domains):
            raise UsageError(
                f"{source}: `solution` has {count_of(solution.shape[1], 'variable')}, and {task.name} has "
                f"{len(domains)}: {AS_TRAINED}"
            )
        below(solution, domains, "solution", source, f"that variable of {task.name} takes")
        _require_rules(solution, source, task)
    given = _matched(found, "given", source, solution.shape)
    given = truths(given, "given", source)
    if given.all():
        raise UsageError(
            f"{source}: `given` marks every variable, so that nothing was answered: mark the givens"
        )
    image = np.full(solution.shape, -1)
    if "image" in found:
        image = whole(_matched(found, "image", source, solution.shape), "image", source, -1)
        if (hidden := (image >= 0) & ~given).any():
            raise UsageError(
                f"{source}: `image` holds {first_where(hidden, image)}, which is no given: mark it given, or "
                "put -1 there"
            )
    completion = _completion(found["answers"], source, solution, task)
    return Completions(solution, given, completion, image)


def _matched(found: Mapping[str, np.ndarray], name: str, source: str, shape: tuple[int, ...]) -> np.ndarray:
    if found[name].shape != shape:
        raise UsageError(
            f"{source}: `{name}` is of shape {found[name].shape}, and `solution` of {shape}: both are "
            "(puzzles, variables)"
        )
    return found[name]


def _completion(
    answers: np.ndarray, source: str, solution: Int[np.ndarray, "puzzles variables"], task: Task | None
) -> Float[np.ndarray, "puzzles variables symbols"]:
    """Answers as probabilities, NaN where nothing was answered."""
    if answers.shape[:2] != solution.shape or answers.ndim not in (2, 3):
        raise UsageError(
            f"{source}: `answers` is of shape {answers.shape}, and `solution` of {solution.shape}; it is "
            f"{ARRAYS['answers']}"
        )
    known = task.problem.symbols if task else None
    if answers.ndim == 3:
        count = answers.shape[2]
        if known is not None and count != known:
            assert task is not None
            raise UsageError(
                f"{source}: `answers` are about {count} symbols, and {task.name} has {known}: {AS_TRAINED}"
            )
        below(solution, count, "solution", source, "`answers` are about the symbols")
        return probabilities(answers, "answers", source, unsolved=True)
    symbols = whole(answers, "answers", source, -1)
    count = known or max(int(solution.max()), int(symbols.max()), 1) + 1
    below(symbols, count, "answers", source, "the symbols are")
    return one_hot(symbols, count)


def one_hot(
    answers: Int[np.ndarray, "puzzles variables"], symbols: int
) -> Float[np.ndarray, "puzzles variables symbols"]:
    """Symbols as certain beliefs; −1 as NaN, which is how an unsolved row is written."""
    completion = np.eye(symbols)[answers.clip(0)]
    completion[answers < 0] = np.nan
    return completion


def _require_rules(solution: Int[np.ndarray, "puzzles variables"], source: str, task: Task) -> None:
    broken = np.flatnonzero(~task.verify(solution))
    if len(broken):
        options = ", ".join(f"{name}={value}" for name, value in task.settings.items() if value is not None)
        raise UsageError(
            f"{source}: the solution of puzzle {broken[0]} breaks the rules of {task.name} ({options}), and "
            f"so do {len(broken)} of {len(solution)}: {AS_TRAINED}, or mend the solutions"
        )


def _require_same_symbols(readings: Readings, completions: Completions, source: str) -> None:
    """Images have to be there, and show what the puzzles say that they show."""
    image, shown = completions.image, completions.image >= 0
    if not shown.any():
        raise UsageError(f"{source}: `image` names no image at any given: judge readings and answers apart")
    beyond = image >= len(readings.true)
    if beyond.any():
        raise UsageError(
            f"{source}: `image` holds {first_where(beyond, image)}, and there are {len(readings.true):,} "
            "images, counted from 0"
        )
    wrong = shown & (readings.true[image.clip(0)] != completions.solution)
    if wrong.any():
        there, shows = first_where(wrong, completions.solution), readings.true[image[wrong][0]]
        raise UsageError(
            f"{source}: `solution` holds {there}, and the image that stands there shows {shows}: see that "
            "`image` counts the rows of `true`"
        )


def _digest(found: Mapping[str, np.ndarray], names: Any) -> str:
    sha = hashlib.sha256()
    for name in names:
        if name in found:
            array = found[name]
            sha.update(f"{name}{array.shape}".encode())
            sha.update(np.ascontiguousarray(array, dtype=np.float64).data)
    return sha.hexdigest()
