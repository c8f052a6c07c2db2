"""Whether predictions of several seeds are of one task, and each of another run."""

from collections.abc import Sequence

from ...datasets.errors import UsageError
from .array_checks import OF_IMAGES
from .predictions import Predictions


def require_alike(seeds: Sequence[Predictions]) -> None:
    """Sees to it that several seeds are of one task, and each is another run.

    Raises `UsageError` where they hold other arrays, other numbers of symbols or variables, or the same
    predictions.
    """
    first = seeds[0]
    for number, other in enumerate(seeds):
        if differing := sorted(({*first.shapes} ^ {*other.shapes}) - {"fit"}):
            has, lacks = (first, other) if differing[0] in first.shapes else (other, first)
            raise UsageError(
                f"{has.source} has `{differing[0]}` and {lacks.source} has not: seeds of one run hold the "
                "same arrays"
            )
        for name, shape in first.shapes.items():
            if name in other.shapes and shape != other.shapes[name]:
                raise UsageError(
                    f"`{name}` is {_rows(shape, name)} in {first.source} and "
                    f"{_rows(other.shapes[name], name)} in {other.source}: seeds of one run have the same "
                    "variables and symbols"
                )
        twin = next((one for one in seeds[:number] if one.digest == other.digest), None)
        if twin is not None:
            raise UsageError(
                f"{twin.source} and {other.source} hold the same predictions: every seed counts once"
            )


def _rows(shape: tuple[int, ...], name: str) -> str:
    return str(("images" if name in OF_IMAGES else "puzzles", *shape)).replace("'", "")
