"""Every exchange as a line of JSON, known by its content, so that nothing is asked twice."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from ...datasets.errors import UsageError
from ..results.files import plain
from ..results.records import RecordError, decode_record
from ..results.run_directory import append_line, whole_lines

FILE = "exchanges.jsonl"
PICTURES = "boards"


@dataclass(frozen=True)
class Exchange:
    """What was asked and what came back.

    Attributes:
        key: SHA-256 of everything that was asked, the picture with it.
        question: Which question.
        board: Which puzzle, from 0 on.
        sample: Which repetition, from 0 on.
        messages: As they were sent, a picture by its file's name.
        content: The text of the reply; None where none came.
        finish: Why the model stopped, as the server says: "stop", "length" …
        refusal: Whether the server marked it as a refusal.
        usage: Tokens that the server counted: "prompt_tokens", "completion_tokens".
        seconds: From the first attempt to the reply.
        attempts: How many requests it took.
        schema: Whether the server was handed the schema.
        error: Why no reply came, in a sentence; it is asked again when the run is continued.
    """

    key: str
    question: str
    board: int
    sample: int
    messages: list[dict[str, Any]]
    content: str | None = None
    finish: str = ""
    refusal: bool = False
    usage: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    attempts: int = 0
    schema: bool = True
    error: str = ""

    @property
    def truncated(self) -> bool:
        """Whether the reply was cut off at the most tokens it may have."""
        return self.finish == "length"


def key_of(request: Mapping[str, Any]) -> str:
    """A digest of the content of a request."""
    return hashlib.sha256(json.dumps(request, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class Log:
    """The exchanges of a run: in a folder where there is one, else in memory alone.

    Args:
        folder: Of the run; None to keep nothing on disk.

    Raises:
        UsageError: Where a line of it is damaged; one that a kill cut short is cut off.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.kept: dict[str, Exchange] = {}
        if folder is None:
            return
        (folder / PICTURES).mkdir(exist_ok=True)
        for number, line in whole_lines(folder / FILE, mend=True):
            try:
                exchange = decode_record(line, Exchange, first_line=number)
            except (RecordError, msgspec.DecodeError) as error:
                raise UsageError(
                    f"{folder / FILE} is damaged ({error}): delete that line, and --resume asks it again"
                ) from error
            self.kept[exchange.key] = exchange

    @property
    def empty(self) -> bool:
        """Whether nothing was answered yet."""
        return all(exchange.error for exchange in self.kept.values())

    def discard(self) -> None:
        """Leaves nothing of the run in its folder, so that it can be named again."""
        if self.folder is None:
            return
        for name in (FILE, "run.json"):
            (self.folder / name).unlink(missing_ok=True)
        for name in (PICTURES, "traces"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def recall(self, key: str) -> Exchange | None:
        """The reply to exactly this request, where there was one."""
        found = self.kept.get(key)
        return None if found is None or found.error else found

    def keep(self, exchange: Exchange, picture: bytes = b"") -> None:
        """Appends a line and waits until it is on the disk; its picture is a file of its own."""
        self.kept[exchange.key] = exchange
        if self.folder is None:
            return
        if picture:
            path = self.folder / PICTURES / picture_name(picture)
            if not path.exists() or path.stat().st_size < len(picture):  # a kill may cut it short
                path.write_bytes(picture)
        append_line(self.folder / FILE, plain(exchange))


def picture_name(picture: bytes) -> str:
    """The file of a picture, by its content."""
    return f"{hashlib.sha256(picture).hexdigest()[:16]}.png"


def without_picture(messages: list[dict[str, Any]], picture: bytes) -> list[dict[str, Any]]:
    """Messages with the name of the file in the place of the picture's bytes."""
    shown = json.loads(json.dumps(messages))
    for message in shown:
        for part in message["content"] if isinstance(message["content"], list) else []:
            if part["type"] == "image_url":
                part["image_url"]["url"] = f"{PICTURES}/{picture_name(picture)}"
    return shown
