"""Faces of symbols: the usual ones, and others that a legend gives them, to tell rules from memory."""

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np

from ...datasets.errors import UsageError
from ...datasets.image_source import ImageSource
from ...datasets.images import Bank, ImageSet
from ...datasets.task import Task
from .boards import Style, glyph_bank, renamed_bank

PRINTED = "printed"  # instead of an image set: the usual faces, printed
LEGENDS = ("letters", "digits", "clothes")
LETTERS = "ABCDEFHKLMNP"  # without those that a font or a hand draws like a digit
CLOTHED = "fashion"  # the image set
CLOTHES = {  # classes of Fashion-MNIST, those that are told apart best first
    "trousers": 1, "bag": 8, "boot": 9, "dress": 3, "sandal": 5,
    "T-shirt": 0, "sneaker": 7, "pullover": 2, "coat": 4, "shirt": 6,
}  # fmt: skip
TURN = 3  # by how many digits all ten are renamed, where no other digit is left


@dataclass(frozen=True)
class Faces:
    """How the symbols of a task look, and what they are called.

    Attributes:
        name: "usual", or the name of a legend.
        words: What symbol k is called in a question and in an answer.
        bank: Its pictures, under the classes of the task.
        means: What symbol k usually is called, where a legend has renamed it.
        digest: SHA-256 of what the pictures were made of.
        origin: What they are called in a record.
    """

    name: str
    words: tuple[str, ...]
    bank: Bank = field(compare=False)
    means: tuple[str, ...] = ()
    digest: str = ""
    origin: str = ""


def usual_faces(task: Task, source: ImageSource, style: Style) -> Faces:
    """The digits that show a task's symbols: pictures of an image set, or printed ones."""
    words = tuple(str(label) for label in task.classes)
    if source.name == PRINTED:
        return _printed("usual", words, task, style)
    images = source.load()
    _require_digits(source, images, task)
    images.require(task)
    return Faces("usual", words, images.bank("test"), digest=images.digest, origin=source.name)


def _require_digits(source: ImageSource, images: ImageSet, task: Task) -> None:
    """Raises `UsageError` where pictures show something else than the digits that questions call them."""
    names = tuple(CLOTHES) if source.name.partition("+")[0] == CLOTHED else images.names
    other = [name for label, name in enumerate(names) if label in task.classes and name != str(label)]
    if other or images.train.chosen:
        chosen = images.train.chosen
        shown = "--classes names others" if chosen else f"{source.name} shows {other[0]} and others"
        raise UsageError(
            f"vlm asks which digits a picture shows, and {shown}: take --images digits, mnist or printed, "
            "and --legend clothes for other symbols"
        )


def legend_faces(name: str, task: Task, source: ImageSource, style: Style) -> Faces:
    """Other faces for the same symbols: letters, other digits, or clothes.

    Raises:
        UsageError: For a legend that there is not.
        DataUnavailableError: Where the pictures of clothes are not at hand.
    """
    if name not in LEGENDS:
        raise UsageError(f"legend {name!r}: it is {', '.join(LEGENDS)}")
    count, usual = len(task.classes), tuple(str(label) for label in task.classes)
    if name == "letters":
        return replace(_printed(name, tuple(LETTERS[:count]), task, style), means=usual)
    if name == "clothes":
        images = replace(source, name=CLOTHED).load()
        words = tuple(CLOTHES)[:count]
        bank = renamed_bank(images.bank("test"), [CLOTHES[word] for word in words], task.classes)
        return Faces(name, words, bank, usual, images.digest, CLOTHED)
    others = other_digits(task.classes)
    words = tuple(map(str, others))
    if source.name == PRINTED:
        return replace(_printed(name, words, task, style), means=usual)
    images = source.load()
    bank = renamed_bank(images.bank("test"), others, task.classes)
    return Faces(name, words, bank, usual, images.digest, source.name)


def other_digits(classes: tuple[int, ...]) -> list[int]:
    """A digit for each of some digits, none its own: those that are left over first."""
    left = [digit for digit in range(10) if digit not in classes]
    if left:
        return [*left, *classes][: len(classes)]
    return [(digit + TURN) % 10 for digit in classes]


def _printed(name: str, words: tuple[str, ...], task: Task, style: Style) -> Faces:
    bank = glyph_bank(words, task.classes, style)
    content = np.ascontiguousarray(bank.gallery.pictures.numpy()).tobytes()
    digest = hashlib.sha256(content).hexdigest()
    return Faces(name, words, bank, digest=digest, origin=f"{PRINTED} in {style.font}")
