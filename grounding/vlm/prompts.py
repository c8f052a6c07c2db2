"""The wording of every question: files of this package, which a folder of the user's may replace."""

import hashlib
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...datasets.errors import UnusableFileError, UsageError
from ..results.records import read_file

VERSION = 1  # raised whenever a file of ours says something else
FOLDER = Path(__file__).parent / "prompts"
PLACES: Mapping[str, frozenset[str]] = {  # what each question's file may name
    "read": frozenset({"scene", "format"}),
    "answer": frozenset({"scene", "rules", "format"}),
    "symbols": frozenset({"rules", "givens", "format"}),
    "exchanged": frozenset({"rules", "format"}),
    "legend": frozenset({"scene", "rules", "legend", "format"}),
}
TASK_PLACES = frozenset({"size", "rows", "columns", "digits", "symbols", "table", "order"})


@dataclass(frozen=True)
class Prompts:
    """Texts by name: those of questions, and `scene-TASK` and `rules-TASK` of each task.

    Attributes:
        texts: By file name without its ending.
        version: Of ours, with + where a folder of the user's replaced some.
    """

    texts: Mapping[str, str]
    version: str

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each text, for the record."""
        return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in self.texts.items()}

    def fill(self, name: str, values: Mapping[str, object]) -> str:
        """A text with its places filled."""
        return string.Template(self.texts[name]).substitute(values).strip()


def read_prompts(folder: Path | None = None) -> Prompts:
    """The prompts of this package, those in `folder` in the place of ours.

    Raises:
        UsageError: For a folder without prompts, a file that is none of them, or a place that is not known.
    """
    texts = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.txt"))}
    if folder is None:
        return Prompts(texts, str(VERSION))
    if not folder.is_dir():
        raise UnusableFileError(f"{folder} is no folder: --prompts names one with files such as answer.txt")
    own = sorted(folder.glob("*.txt"))
    if not own:
        raise UsageError(
            f"{folder} holds no prompts: it needs one of {', '.join(sorted(texts))}, each as .txt"
        )
    for path in own:
        if path.stem not in texts:
            raise UsageError(f"{path} replaces no prompt: there are {', '.join(sorted(texts))}")
        try:
            texts[path.stem] = read_file(path).decode("utf-8")
        except UnicodeDecodeError as error:
            raise UsageError(f"{path} is no text in UTF-8: {error.reason}") from error
        _check(path, texts[path.stem])
    return Prompts(texts, f"{VERSION}+")


def _check(path: Path, text: str) -> None:
    """Sees to it that a text names only what it is handed."""
    known = PLACES.get(path.stem, TASK_PLACES)
    template = string.Template(text)
    if not template.is_valid():
        raise UsageError(f"{path}: a $ stands before no name; write $$ for the sign itself")
    unknown = sorted(set(template.get_identifiers()) - known)
    if unknown:
        names = ", ".join(f"${name}" for name in sorted(known))
        raise UsageError(f"{path} names ${unknown[0]}, which nothing fills: it may name {names}")
    if path.stem in PLACES and "format" not in template.get_identifiers():
        raise UsageError(f"{path} does not name $format: a model has to be told how to answer")
