"""The questions that are asked of each board, in separate conversations: each a small function."""

import base64
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Int

from ...datasets.addition import Addition
from ...datasets.futoshiki import Futoshiki
from ...datasets.grids import GridTask
from ...datasets.mapping import Mapping as MappingTask
from ...datasets.task import Task
from .forms import Field, Form, format_of, schema_of, written
from .legends import Faces
from .prompts import Prompts
from .spending import picture_patches

Name = Literal["read", "answer", "symbols", "exchanged", "legend"]
QUESTIONS: tuple[Name, ...] = ("read", "answer", "symbols", "exchanged", "legend")


@dataclass(frozen=True)
class Question:
    """One conversation: what is sent, and the fields of the reply.

    Attributes:
        name: Which of the questions it is.
        messages: As the chat protocol has them.
        fields: The keys of the JSON object that is asked for.
        picture: The PNG that it shows; empty where it shows none.
    """

    name: Name
    messages: list[dict[str, Any]]
    fields: tuple[Field, ...]
    picture: bytes = field(default=b"", repr=False)

    @property
    def text_bytes(self) -> int:
        """Bytes of all its texts: no tokeniser makes more tokens of them."""
        parts = [message["content"] for message in self.messages]
        texts = [part for part in parts if isinstance(part, str)]
        texts += [one.get("text", "") for part in parts if not isinstance(part, str) for one in part]
        return sum(len(text.encode()) for text in texts)

    @property
    def patches(self) -> int:
        """The most tokens that its picture becomes, where it is not scaled up; 0 without one."""
        if not self.picture:
            return 0
        width, height = struct.unpack(">II", self.picture[16:24])  # in the first chunk of a PNG
        return picture_patches(width, height)


@dataclass(frozen=True)
class Wording:
    """What the questions about one task are made of.

    Attributes:
        task: What the boards are of.
        prompts: The texts.
        form: What a reading and an answer look like under the usual faces.
        legend: The other faces of question (f).
        legend_form: A reading and an answer under those.
    """

    task: Task
    prompts: Prompts
    form: Form
    legend: Faces
    legend_form: Form

    def read(self, picture: bytes) -> Question:
        """(a) Read the givens."""
        text = self._text("read", scene=self._scene(), format=format_of(self.form.reading))
        return Question("read", [_asks(text, picture)], self.form.reading, picture)

    def answer(self, picture: bytes) -> Question:
        """(b) Answer from the picture."""
        text = self._text(
            "answer", scene=self._scene(), rules=self._rules(self.form), format=format_of(self.form.answer)
        )
        return Question("answer", [_asks(text, picture)], self.form.answer, picture)

    def symbols(self, seen: Int[np.ndarray, " variables"]) -> Question:
        """(c) Answer from the true symbols as text; `seen` holds them, below zero where nothing is given."""
        givens = json.dumps(written(self.form.reading, seen), ensure_ascii=False)
        text = self._text(
            "symbols", rules=self._rules(self.form), givens=givens, format=format_of(self.form.answer)
        )
        return Question("symbols", [_asks(text)], self.form.answer)

    def exchanged(self, picture: bytes, transcript: str) -> Question:
        """(e) Answer with the picture exchanged under the kept transcript of another one's reading."""
        text = self._text("exchanged", rules=self._rules(self.form), format=format_of(self.form.answer))
        messages = [
            *self.read(picture).messages,
            {"role": "assistant", "content": transcript},
            _asks(text),
        ]
        return Question("exchanged", messages, self.form.answer, picture)

    def relabelled(self, picture: bytes) -> Question:
        """(f) Answer with the symbols relabelled by a legend."""
        pairs = zip(self.legend.words, self.legend.means, strict=True)
        text = self._text(
            "legend",
            scene=self._scene(),
            rules=self._rules(self.legend_form),
            legend=", ".join(f"{face} stands for {usual}" for face, usual in pairs),
            format=format_of(self.legend_form.answer),
        )
        return Question("legend", [_asks(text, picture)], self.legend_form.answer, picture)

    def _scene(self) -> str:
        return self.prompts.fill(f"scene-{self.task.name}", self._values(self.form))

    def _rules(self, form: Form) -> str:
        return self.prompts.fill(f"rules-{self.task.name}", self._values(form))

    def _text(self, name: Name, **values: str) -> str:
        return self.prompts.fill(name, values)

    def _values(self, form: Form) -> Mapping[str, object]:
        """What a task's own texts may name."""
        task, words = self.task, form.answer[0].words
        values: dict[str, object] = dict.fromkeys(("size", "rows", "columns", "digits", "table"), "")
        values |= {"symbols": ", ".join(words), "order": ", ".join(words)}
        if isinstance(task, GridTask | Futoshiki):
            values["size"] = task.size
        if isinstance(task, GridTask) and task.box is not None:
            values |= {"rows": task.box[0], "columns": task.box[1]}
        if isinstance(task, Addition):
            values["digits"] = task.digits
        if isinstance(task, MappingTask) and isinstance(task.bijection, tuple):
            pairs = enumerate(task.bijection)
            values["table"] = ", ".join(f"{words[symbol]} → {words[output]}" for symbol, output in pairs)
        elif isinstance(task, MappingTask):
            values["table"] = ", ".join(f"{word} → {word}" for word in words)
        return values


def _asks(text: str, picture: bytes = b"") -> dict[str, Any]:
    """A message of the user's, with a picture before its text."""
    if not picture:
        return {"role": "user", "content": text}
    address = "data:image/png;base64," + base64.b64encode(picture).decode()
    return {
        "role": "user",
        "content": [{"type": "image_url", "image_url": {"url": address}}, {"type": "text", "text": text}],
    }


def response_format(fields: Sequence[Field], name: str) -> dict[str, Any]:
    """What a server that takes a schema is told of the reply."""
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "strict": True, "schema": schema_of(fields)},
    }
