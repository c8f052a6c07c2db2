"""Whether code from outside takes part in a trial or a check."""

from collections.abc import Iterable

from ...datasets.catalogue import IMAGES
from ...datasets.image_source import ImageSource
from ...datasets.task import Task
from ..perception.spec import PerceptionSpec
from .spec import SolverSpec

PACKAGE = __name__.removesuffix(".grounding.trials.origin")
IMAGE_FILES = ("folder", "arrays", "torchvision")  # what stands before the colon of a user's own images


def all_ours(
    solvers: Iterable[SolverSpec], perception: PerceptionSpec, images: ImageSource, task: Task
) -> bool:
    """Whether all of this comes with groundcheck, and runs on the CPU."""
    parts = (part.partition(":") for part in images.name.split("+"))
    pictures = images.source is None and all(
        kind in (IMAGE_FILES if colon else IMAGES.ours) for kind, colon, _ in parts
    )
    return (
        all(spec.ours for spec in solvers)
        and pictures
        and images.device == "cpu"
        and perception.ours
        and type(task).__module__.startswith(f"{PACKAGE}.datasets.")
    )
