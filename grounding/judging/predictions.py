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

# By name: what the array holds, as messages and the docs tell it.
ARRAYS: Mapping[str, str] = {
    "true": "(images,) the symbol that each image shows, a whole number from 0 on",
    "symbols": "(images,) the symbol that was read",
    "beliefs": "(images, symbols) or, in its place, the probability of every symbol",
    "fit": "(images,) which images the relabelling is fitted on; without it half of them, drawn",
    "solution": "(puzzles, variables) the true symbol of every variable",
    "given": "(puzzles, variables) which variables are seen; the others are answered",
    "answers": "(puzzles, variables) the symbols answered, -1 unsolved; or (puzzles, variables, symbols) "
    "probabilities, NaN unsolved; what stands at givens is ignored",
    "image": "(puzzles, variables) which of the images a given shows, -1 where none",
}
OF_IMAGES = ("true", "symbols", "beliefs", "fit")
OF_PUZZLES = ("solution", "given", "answers", "image")
ROUNDING = 1e-3  # by which a probability may lie outside [0, 1]


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
    """What was answered; `image` is −1 where no image is shown, the completion NaN where nothing was answered."""

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
    found = {name: _numbers(arrays[name], name, source) for name in ARRAYS if name in arrays}
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


def require_alike(seeds: list[Predictions]) -> None:
    """Sees to it that several seeds are of one task, and each is another run.

    Raises `UsageError` where they hold other arrays, other numbers of symbols or variables, or the same
    predictions.
    """
    first = seeds[0]
    for number, other in enumerate(seeds):
        if differing := sorted(({*first.shapes} ^ {*other.shapes}) - {"fit"}):
            has, lacks = (first, other) if differing[0] in first.shapes else (other, first)
            raise UsageError(
                f"{has.source} has `{differing[0]}` and {lacks.source} has not: seeds of one run hold the same "
                "arrays"
            )
        for name, shape in first.shapes.items():
            if name in other.shapes and shape != other.shapes[name]:
                raise UsageError(
                    f"`{name}` is {_rows(shape, name)} in {first.source} and {_rows(other.shapes[name], name)} "
                    f"in {other.source}: seeds of one run have the same variables and symbols"
                )
        twin = next((one for one in seeds[:number] if one.digest == other.digest), None)
        if twin is not None:
            raise UsageError(
                f"{twin.source} and {other.source} hold the same predictions: every seed counts once"
            )


def _rows(shape: tuple[int, ...], name: str) -> str:
    return str(("images" if name in OF_IMAGES else "puzzles", *shape)).replace("'", "")


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


def _numbers(value: Any, name: str, source: str) -> np.ndarray:
    """An array of plain numbers."""
    if hasattr(value, "detach"):  # a tensor
        value = value.detach().cpu()
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{source}: `{name}` is no array ({error}); it is {ARRAYS[name]}") from error
    if array.dtype.kind not in "biuf":
        kind = "Python objects" if array.dtype == object else f"values of type {array.dtype}"
        raise UsageError(f"{source}: `{name}` holds {kind}, it should hold plain numbers: {ARRAYS[name]}")
    if not array.size:
        raise UsageError(f"{source}: `{name}` is empty, of shape {array.shape}; it is {ARRAYS[name]}")
    return array


def _shaped(array: np.ndarray, name: str, source: str, dimensions: int, rows: int | None = None) -> None:
    if array.ndim != dimensions or (rows is not None and len(array) != rows):
        many = "" if rows is None else f", of {rows:,} rows here"
        raise UsageError(f"{source}: `{name}` is of shape {array.shape}; it is {ARRAYS[name]}{many}")


def _whole(array: np.ndarray, name: str, source: str, low: int) -> Int[np.ndarray, "..."]:
    """Whole numbers from `low` on."""
    wrong = ~np.isfinite(array) | (array != np.round(array)) | (array < low)
    if wrong.any():
        place = np.argwhere(wrong)[0]
        raise UsageError(
            f"{source}: `{name}` holds {array[tuple(place)]:g} {_at(place)}, and it should hold whole numbers "
            f"from {low} on"
        )
    return array.astype(np.int64)


def _truths(array: np.ndarray, name: str, source: str) -> Bool[np.ndarray, "..."]:
    if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
        place = np.argwhere(~np.isin(array, (0, 1)))[0]
        raise UsageError(
            f"{source}: `{name}` holds {array[tuple(place)]:g} {_at(place)}, and it should hold truth values"
        )
    return array.astype(np.bool_)


def _probabilities(array: np.ndarray, name: str, source: str, *, unsolved: bool) -> Float[np.ndarray, "..."]:
    """Probabilities; NaN only where that means unsolved."""
    if not unsolved and np.isnan(array).any():
        place = np.argwhere(np.isnan(array))[0]
        raise UsageError(
            f"{source}: `{name}` holds NaN {_at(place)}: every image has to be read, so leave out those that "
            "were not"
        )
    wrong = (array < -ROUNDING) | (array > 1 + ROUNDING)
    if wrong.any():
        place = np.argwhere(wrong)[0]
        raise UsageError(
            f"{source}: `{name}` holds {array[tuple(place)]:g} {_at(place)}, and it should hold probabilities "
            "in [0, 1]: take a softmax of logits first"
        )
    return array.astype(np.float64)


def _at(place: np.ndarray) -> str:
    return f"at [{', '.join(map(str, place.tolist()))}]"


def _below(array: np.ndarray, bound: Any, name: str, source: str, why: str) -> None:
    """Labels that are none: `bound` is how many there are, of all or by variable."""
    wrong = array >= bound
    if wrong.any():
        place = np.argwhere(wrong)[0]
        last = int(np.broadcast_to(bound, array.shape)[tuple(place)]) - 1
        raise UsageError(
            f"{source}: `{name}` holds the symbol {array[tuple(place)]} {_at(place)}, and {why} 0 to {last}"
        )


def _readings(found: Mapping[str, np.ndarray], source: str, task: Task | None) -> Readings:
    _shaped(found["true"], "true", source, 1)
    true = _whole(found["true"], "true", source, 0)
    confidence, count = None, len(task.classes) if task else None
    if "beliefs" in found:
        _shaped(found["beliefs"], "beliefs", source, 2, len(true))
        beliefs = _probabilities(found["beliefs"], "beliefs", source, unsolved=False)
        if count is not None and beliefs.shape[1] != count:
            assert task is not None
            raise UsageError(
                f"{source}: `beliefs` are about {beliefs.shape[1]} symbols, and {task.name} shows {count}: set "
                "the task as it was trained, with --set NAME=VALUE"
            )
        count = beliefs.shape[1]
        read, confidence = beliefs.argmax(-1), beliefs.max(-1).clip(0, 1)
    else:
        _shaped(found["symbols"], "symbols", source, 1, len(true))
        read = _whole(found["symbols"], "symbols", source, 0)
        count = count or max(int(true.max()), int(read.max()), 1) + 1
        _below(read, count, "symbols", source, "the symbols are")
    _below(true, count, "true", source, "the symbols are")
    fit, drawn = _fit(found, source, len(true))
    return Readings(true, read, fit, count, confidence, drawn)


def _fit(found: Mapping[str, np.ndarray], source: str, images: int) -> tuple[Bool[np.ndarray, " images"], bool]:
    """Which images the relabelling is fitted on, and whether they were drawn here."""
    if "fit" not in found:
        if images < 2:
            raise UsageError(f"{source} has 1 image: a half to fit on and a half to score takes two or more")
        return np.random.default_rng(0).permutation(images) < images // 2, True
    _shaped(found["fit"], "fit", source, 1, images)
    fit = _truths(found["fit"], "fit", source)
    if not fit.any() or fit.all():
        left = "none of the images: the relabelling has nothing to be fitted on" if not fit.any() else (
            "all of the images: nothing is left to score"
        )  # fmt: skip
        raise UsageError(f"{source}: `fit` marks {left}; mark some, or leave it out to have a half drawn")
    return fit, False


def _completions(found: Mapping[str, np.ndarray], source: str, task: Task | None) -> Completions:
    _shaped(found["solution"], "solution", source, 2)
    solution = _whole(found["solution"], "solution", source, 0)
    domains = np.asarray(task.problem.domains) if task else None
    if task is not None and domains is not None:
        if solution.shape[1] != len(domains):
            raise UsageError(
                f"{source}: `solution` has {count_of(solution.shape[1], 'variable')}, and {task.name} has "
                f"{len(domains)}: set the task as it was trained, with --set NAME=VALUE"
            )
        _below(solution, domains, "solution", source, f"that variable of {task.name} takes")
        _require_rules(solution, source, task)
    given = _matched(found, "given", source, solution.shape)
    given = _truths(given, "given", source)
    if given.all():
        raise UsageError(f"{source}: `given` marks every variable, so that nothing was answered: mark the givens")
    image = np.full(solution.shape, -1)
    if "image" in found:
        image = _whole(_matched(found, "image", source, solution.shape), "image", source, -1)
        if (hidden := (image >= 0) & ~given).any():
            place = np.argwhere(hidden)[0]
            raise UsageError(
                f"{source}: `image` shows image {image[tuple(place)]} {_at(place)}, which is no given: mark it "
                "given, or put -1 there"
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
                f"{source}: `answers` are about {count} symbols, and {task.name} has {known}: set the task as "
                "it was trained, with --set NAME=VALUE"
            )
        _below(solution, count, "solution", source, "`answers` are about the symbols")
        return _probabilities(answers, "answers", source, unsolved=True)
    whole = _whole(answers, "answers", source, -1)
    count = known or max(int(solution.max()), int(whole.max()), 1) + 1
    _below(whole, count, "answers", source, "the symbols are")
    return one_hot(whole, count)


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
            f"{source}: the solution of puzzle {broken[0]} breaks the rules of {task.name} ({options}), as do "
            f"{len(broken)} of {len(solution)}: set the task as it was trained, or mend the solutions"
        )


def _require_same_symbols(readings: Readings, completions: Completions, source: str) -> None:
    """Images have to be there, and show what the puzzles say that they show."""
    image, shown = completions.image, completions.image >= 0
    if not shown.any():
        raise UsageError(f"{source}: `image` names no image at any given: judge readings and answers apart")
    beyond = image >= len(readings.true)
    if beyond.any():
        place = np.argwhere(beyond)[0]
        raise UsageError(
            f"{source}: `image` names image {image[tuple(place)]} {_at(place)}, and there are "
            f"{len(readings.true):,}: they are counted from 0"
        )
    wrong = shown & (readings.true[image.clip(0)] != completions.solution)
    if wrong.any():
        place = np.argwhere(wrong)[0]
        shows = readings.true[image[tuple(place)]]
        raise UsageError(
            f"{source}: at {_at(place)[3:]} the solution is {completions.solution[tuple(place)]}, and image "
            f"{image[tuple(place)]}, which stands there, shows {shows}: see that `image` counts the rows of `true`"
        )


def _digest(found: Mapping[str, np.ndarray], names: Any) -> str:
    sha = hashlib.sha256()
    for name in names:
        if name in found:
            array = found[name]
            sha.update(f"{name}{array.shape}".encode())
            sha.update(np.ascontiguousarray(array, dtype=np.float64).data)
    return sha.hexdigest()
