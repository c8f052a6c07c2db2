"""A model server on loopback that decodes the PNG and reads it, and twins that are broken on purpose."""

import base64
import hashlib
import io
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.drawing import draw
from groundcheck.datasets.futoshiki import Futoshiki
from groundcheck.datasets.image_source import ImageSource
from groundcheck.datasets.images import load_images
from groundcheck.datasets.task import Task
from groundcheck.grounding.measures.interventions import determined_answers
from groundcheck.grounding.vlm.boards import Style, board_png
from groundcheck.grounding.vlm.endpoint import Endpoint
from groundcheck.grounding.vlm.forms import Form, form_of, written
from groundcheck.grounding.vlm.legends import LETTERS, glyph_bank, legend_faces, usual_faces
from groundcheck.grounding.vlm.parsing import parse
from groundcheck.grounding.vlm.session import Asking, Judged, judge_endpoint

STYLE = Style(size=32)
TOKENS_OF_PICTURE = 256  # what this server says that a picture costs
FEATURES = 14  # pixels of a side that the classifier sees
SIGN = 0.28  # of a cell, around a sign: beyond stand the cells that it joins
INK = 60.0  # of 255: what is darker than the tint of an empty cell


def boxes_of(task: Task) -> Callable[..., np.ndarray]:
    """Cuts the cell at a row and column, in cells, out of a PNG: by the geometry of the drawing alone."""
    puzzles = task.generate("train", 1, 0)
    figure = draw(task, puzzles, load_images("digits").train, columns=1, answers=False, legend=False)
    axes = figure.axes[0]
    axes.apply_aspect()
    whole = figure.get_size_inches() * figure.dpi

    def cut(png: bytes, row: float, column: float, inset: float = 0.06) -> np.ndarray:
        picture = decoded(png)
        height, width = picture.shape
        corners = [(column + inset, row + 1 - inset), (column + 1 - inset, row + inset)]
        (x0, y0), (x1, y1) = axes.transData.transform(corners)
        across, down = width / whole[0], height / whole[1]
        left, right = round(x0 * across), round(x1 * across)
        top, bottom = round(height - y1 * down), round(height - y0 * down)
        return 255.0 - picture[top:bottom, left:right]

    return cut


@lru_cache(maxsize=512)
def decoded(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"), dtype=np.float64)


def inked(cell: np.ndarray) -> bool:
    return bool((cell > INK).mean() > 0.004)


def features(cell: np.ndarray) -> np.ndarray:
    """What is drawn in a cell, wherever it stands and however large: its ink, in a square of its own."""
    rows, columns = np.nonzero(cell > INK)
    if not len(rows):
        return np.zeros(FEATURES**2)
    ink = cell[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].clip(0, 255)
    side = max(ink.shape)
    square = np.zeros((side, side), dtype=np.uint8)
    top, left = ((side - length) // 2 for length in ink.shape)
    square[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    small = Image.fromarray(square).resize((FEATURES, FEATURES), Image.Resampling.BILINEAR)
    return np.asarray(small, dtype=np.float64).ravel() / 255


class Eyes:
    """A classifier of cells, trained on the training images and on letters; it never saw a test image."""

    def __init__(self) -> None:
        digits, letters = load_images("digits").train, glyph_bank(LETTERS[:10], range(10), STYLE)
        shown: list[np.ndarray] = []
        names: list[str] = []
        for bank, words, times in ((digits, "0123456789", 1), (letters, LETTERS, 20)):
            for picture, label in zip(bank.gallery.pictures[:, 0].numpy(), bank.labels, strict=True):
                shown += [features(picture.astype(np.float64))] * times
                names += [words[label]] * times
        self.classifier = SVC(kernel="rbf", gamma=0.02, C=10.0).fit(shown, names)

    def read(self, cells: list[np.ndarray], words: tuple[str, ...]) -> list[int]:
        """The symbol of each cell among some words, by the highest score."""
        scores = self.classifier.decision_function([features(cell) for cell in cells])
        columns = [list(self.classifier.classes_).index(word) for word in words]
        return scores[:, columns].argmax(1).tolist()


@dataclass
class Sight:
    """Reads whole boards of a task."""

    task: Task
    eyes: Eyes
    signs: Any = None
    memory: dict[tuple[bytes, tuple[str, ...]], np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cut = boxes_of(self.task)
        if isinstance(self.task, Futoshiki):  # what the signs look like, from a few boards
            puzzles = replace(self.task, marks=0.8).generate("train", 2, 1)
            bank = load_images("digits").train
            shown: list[np.ndarray] = []
            names: list[str] = []
            for row in range(2):
                png = board_png(self.task, puzzles, row, bank, STYLE)
                for variable in range(self.task.size**2, puzzles.solution.shape[1]):
                    if sign := self.task.written(variable, int(puzzles.solution[row, variable])):
                        shown.append(features(self.cut(png, *self.task.layout.places[variable], SIGN)))
                        names.append(sign)
            self.signs = KNeighborsClassifier(1).fit(shown, names)

    def read(self, png: bytes, words: tuple[str, ...]) -> np.ndarray:
        """Symbols by variable, −1 where a cell is empty."""
        if (png, words) not in self.memory:
            self.memory[png, words] = self._read(png, words)
        return self.memory[png, words]

    def _read(self, png: bytes, words: tuple[str, ...]) -> np.ndarray:
        form = form_of(self.task, words)
        symbols = np.full(len(self.task.problem.variables), -1)
        cells = {int(v): self.cut(png, *self.task.layout.places[v]) for v in form.pictures}
        filled = [v for v, cell in cells.items() if inked(cell)]
        if filled:
            symbols[filled] = self.eyes.read([cells[v] for v in filled], words)
        for variable in form.signs.tolist():
            cell = self.cut(png, *self.task.layout.places[variable], SIGN)
            sign = self.signs.predict([features(cell)])[0] if inked(cell) else ""
            symbols[variable] = ("", "<", ">").index({"∧": "<", "∨": ">"}.get(sign, sign))
        return symbols

    def solve(self, symbols: np.ndarray) -> np.ndarray | None:
        """What the exact rules make of a reading."""
        known = symbols[None] >= 0
        answers = determined_answers(self.task.problem, known, np.where(known, symbols, -1))
        whole = np.where(known, symbols, answers)[0]
        return None if (whole < 0).any() else whole


@dataclass
class Seen:
    """A request as the model understands it."""

    name: str
    form: Form
    words: tuple[str, ...]
    png: bytes
    text: str
    transcript: str
    variables: int

    def from_text(self, text: str, *, reading: bool = True) -> np.ndarray:
        """Symbols of the JSON in a text."""
        parsed = parse(text, self.form.reading if reading else self.form.answer, self.variables)
        return np.full(self.variables, -1) if parsed.symbols is None else np.maximum(parsed.symbols, -1)


class Model:
    """Reads, and answers by the exact rules from what it reads."""

    def __init__(self, sight: Sight) -> None:
        self.sight = sight
        self.prior = sight.task.generate("train", 1, 0).solution[0].astype(np.int64)

    def reply(self, seen: Seen) -> str:
        symbols = self.symbols(seen)
        fields = seen.form.reading if seen.name == "read" else seen.form.answer
        return json.dumps(written(fields, symbols))

    def symbols(self, seen: Seen) -> np.ndarray:
        if seen.name == "read":
            return self.read(seen)
        solved = self.sight.solve(self.source(seen))
        return self.prior if solved is None else solved

    def read(self, seen: Seen) -> np.ndarray:
        return self.sight.read(seen.png, seen.words)

    def source(self, seen: Seen) -> np.ndarray:
        """What an answer comes from."""
        if seen.name == "symbols":
            given = [line for line in seen.text.splitlines() if line.startswith("{")]
            return seen.from_text(given[0])
        return self.read(seen)


class ByPrior(Model):
    """Reads well, and answers always the same valid board."""

    def symbols(self, seen: Seen) -> np.ndarray:
        return self.read(seen) if seen.name == "read" else self.prior


class ByHash(Model):
    """Knows the answers to files by heart, and reads nonsense."""

    answers: dict[str, np.ndarray]

    def symbols(self, seen: Seen) -> np.ndarray:
        digest = hashlib.sha256(seen.png).hexdigest()
        if seen.name == "read":
            rng = np.random.default_rng(int(digest[:8], 16))
            nonsense = self.read(seen).copy()
            shown = nonsense >= 0
            nonsense[shown] = rng.integers(len(seen.words), size=int(shown.sum()))
            return nonsense
        return self.answers.get(digest, self.prior)


class ByTranscript(Model):
    """Reads well, and answers from words alone: from a transcript or a text, where there is one."""

    def symbols(self, seen: Seen) -> np.ndarray:
        if seen.name in ("answer", "legend"):
            return self.prior
        return super().symbols(seen)

    def source(self, seen: Seen) -> np.ndarray:
        return seen.from_text(seen.transcript) if seen.name == "exchanged" else super().source(seen)


class TranscriptFirst(Model):
    """Reads and answers from the picture, but from its transcript where there is one."""

    def source(self, seen: Seen) -> np.ndarray:
        return seen.from_text(seen.transcript) if seen.name == "exchanged" else super().source(seen)


class Misreading(Model):
    """Takes every fourth symbol for the next one, and answers by the rules from that."""

    def read(self, seen: Seen) -> np.ndarray:
        symbols = super().read(seen).copy()
        wrong = np.flatnonzero(symbols >= 0)[1::4]
        symbols[wrong] = (symbols[wrong] + 1) % len(seen.words)
        return symbols


class Swapping(Model):
    """Takes ones for twos and twos for ones throughout, and answers by the rules from that."""

    def read(self, seen: Seen) -> np.ndarray:
        symbols = super().read(seen)
        return np.where((symbols == 0) | (symbols == 1), 1 - symbols, symbols)


class OnlyDigits(Model):
    """Knows the usual symbols by heart and has no idea of others."""

    def symbols(self, seen: Seen) -> np.ndarray:
        return self.prior if seen.name == "legend" else super().symbols(seen)


class Chatty(Model):
    """Wraps its JSON in words and a fence, with numbers for strings and a comma too many."""

    def reply(self, seen: Seen) -> str:
        body = super().reply(seen).replace('"]', '",]')
        return (
            f"<think>{{a grid [of]}} cells</think>Sure! Here it is:\n```json\n{body}\n```\nHope this helps."
        )


class Malformed(Model):
    """Cuts its JSON in half."""

    def reply(self, seen: Seen) -> str:
        body = super().reply(seen)
        return body[: len(body) // 2]


class Refusing(Model):
    """Declines."""

    def reply(self, seen: Seen) -> str:
        return "I'm sorry, but I can't help with pictures of puzzles."


class Mute(Model):
    """Reads and answers, and declines to say what it reads."""

    def reply(self, seen: Seen) -> str:
        return "I cannot see pictures." if seen.name == "read" else super().reply(seen)


class Endless(Model):
    """Reads, and answers pictures at such length that it is cut off."""

    def reply(self, seen: Seen) -> str:
        whole = super().reply(seen)
        return "<think>Let me see" if seen.name == "answer" else whole


class Stammering(Model):
    """Reads and answers, and cuts every fourth reading in half."""

    read_so_far = 0

    def reply(self, seen: Seen) -> str:
        whole = super().reply(seen)
        if seen.name == "read":
            self.read_so_far += 1
        return whole[: len(whole) // 2] if seen.name == "read" and self.read_so_far % 4 == 0 else whole


@dataclass
class Server:
    """The endpoint: what it does to requests besides answering them, and what it has seen."""

    model: Model
    port: int = 0
    delay: float = 0.0
    slow_every: int = 1  # every so many requests are delayed
    busy_every: int = 0  # every so many are answered 429
    close_every: int = 0  # at every so many the connection is closed
    refuses_schema: int = 0  # the status that it answers a schema with
    filters: int = 0  # every so many are stopped by a filter
    drip: float = 0.0  # seconds between the bytes of a reply
    finish: str = "stop"
    key: str = ""
    status: int = 200
    usage: bool = True
    counts: list[float] = field(default_factory=list)  # times of requests
    keys: set[str] = field(default_factory=set)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    tokens: int = 0
    at_once: int = 0
    most_at_once: int = 0
    lock: Any = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def endpoint(self, **options: Any) -> Endpoint:
        return Endpoint(self.url, "twin", **{"pause": 0.005, "timeout": 10.0, "max_tokens": 600, **options})

    def respond(self, body: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
        with self.lock:
            self.counts.append(time.monotonic())
            self.bodies.append(body)
            self.keys.add(handler.headers.get("Authorization", ""))
            number = len(self.counts)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.delay and number % self.slow_every == 0:
                time.sleep(self.delay)
            if self.close_every and number % self.close_every == 0:
                handler.close_connection = True
                handler.connection.close()
                return
            self._answer(number, body, handler)
        finally:
            with self.lock:
                self.at_once -= 1

    def _answer(self, number: int, body: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
        if self.status != 200:
            send(
                handler,
                self.status,
                {"error": {"message": f"no luck, {handler.headers.get('Authorization')}"}},
            )
        elif self.key and handler.headers.get("Authorization") != f"Bearer {self.key}":
            send(handler, 401, {"error": {"message": "who are you?"}})
        elif self.busy_every and number % self.busy_every == 0:
            send(handler, 429, {"error": {"message": "slow down"}}, {"Retry-After": "0"})
        elif self.filters and number % self.filters == 0:
            send(handler, 400, {"error": {"message": "filtered", "code": "content_filter"}})
        elif self.drip:
            drip(handler, self.drip)
        elif self.refuses_schema and "response_format" in body:
            send(handler, self.refuses_schema, {"error": {"message": "response_format is not supported"}})
        else:
            content = self.model.reply(understand(body, self.model.sight.task))
            usage = self._usage(body, content)
            choice = {
                "index": 0,
                "message": {"role": "assistant", "content": content},
                "finish_reason": self.finish,
            }
            send(
                handler,
                200,
                {
                    "object": "chat.completion",
                    "choices": [choice],
                    **({"usage": usage} if self.usage else {}),
                },
            )

    def _usage(self, body: dict[str, Any], content: str) -> dict[str, int]:
        texts = [m["content"] for m in body["messages"] if isinstance(m["content"], str)]
        parts = [part for m in body["messages"] if isinstance(m["content"], list) for part in m["content"]]
        texts += [part["text"] for part in parts if part["type"] == "text"]
        prompt = sum(map(len, texts)) // 4 + TOKENS_OF_PICTURE * sum(
            part["type"] == "image_url" for part in parts
        )
        completion = min(len(content) // 2, body.get("max_tokens", 10**6))
        with self.lock:
            self.tokens += prompt + completion
        return {"prompt_tokens": prompt, "completion_tokens": completion}


def send(
    handler: BaseHTTPRequestHandler, status: int, body: object, heads: dict[str, str] | None = None
) -> None:
    content = json.dumps(body).encode()
    handler.send_response(status)
    for name, value in {
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
        **(heads or {}),
    }.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content)


def drip(handler: BaseHTTPRequestHandler, pause: float) -> None:
    """Announces a reply and sends it byte by byte, as long as somebody listens."""
    handler.send_response(200)
    handler.send_header("Content-Length", "40")
    handler.end_headers()
    for _ in range(40):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(pause)


def understand(body: dict[str, Any], task: Task) -> Seen:
    """A request as a model sees it: its picture decoded from the data URI, its words from the text."""
    messages = body["messages"]
    text, png = "", b""
    for message in messages:
        parts = message["content"] if isinstance(message["content"], list) else []
        for part in parts:
            if part["type"] == "image_url":
                head, _, content = part["image_url"]["url"].partition(",")
                assert head == "data:image/png;base64"
                png = base64.b64decode(content, validate=True)
        last = parts[-1]["text"] if parts else message["content"]
        text = last if message["role"] == "user" else text
    transcript = messages[1]["content"] if len(messages) == 3 else ""
    name = (
        "exchanged" if transcript else "symbols" if not png else "read" if "\nRead what" in text else "answer"
    )
    name = "legend" if "stands for" in text else name
    words = tuple(str(label) for label in task.classes)
    if name == "legend":
        legend = text.partition("usual ones: ")[2].partition(". Write")[0]
        words = tuple(pair.partition(" stands for ")[0] for pair in legend.split(", "))
    return Seen(name, form_of(task, words), words, png, text, transcript, len(task.problem.variables))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    twin: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/chat/completions":
            send(self, 404, {"error": {"message": "no such path"}})
            return
        self.twin.respond(body, self)

    def log_message(self, *args: object) -> None:
        """Nothing: a test prints no log."""


class Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    faults: list[BaseException | None]

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that was closed, by a client or on purpose, is no news; a fault of ours is."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError | ValueError):
            self.faults.append(error)


@pytest.fixture(scope="session")
def eyes() -> Eyes:
    return Eyes()


@pytest.fixture(scope="session")
def sights(eyes: Eyes) -> Callable[..., Sight]:
    """A reader of a task, one for all tests."""
    known: dict[Task, Sight] = {}

    def of(name: str, **settings: Any) -> Sight:
        task = TASKS.load(name)(**settings).drawn(0)
        if task not in known:
            known[task] = Sight(task, eyes)
        return known[task]

    return of


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[..., Server]]:
    """Starts a server of a model on a port of its own; it ends with the tests."""
    running: list[tuple[Http, threading.Thread]] = []

    def start(model: Model, **options: Any) -> Server:
        server = Server(model, **options)
        http = Http(("127.0.0.1", 0), type("Bound", (Handler,), {"twin": server}))
        http.faults = []
        server.port = http.server_address[1]
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        running.append((http, thread))
        return server

    yield start
    for http, thread in running:
        http.shutdown()
        http.server_close()
        thread.join()
        assert http.faults == []


@pytest.fixture(scope="session")
def twins() -> dict[str, type[Model]]:
    """Every model by its name."""
    return {
        kind.__name__: kind
        for kind in (
            Model, ByPrior, ByHash, ByTranscript, TranscriptFirst, Misreading, OnlyDigits, Chatty, Malformed,
            Refusing, Swapping, Mute, Endless, Stammering,
        )
    }  # fmt: skip


@pytest.fixture(scope="session")
def judge() -> Callable[..., Judged]:
    """Judges a server's model on the boards of its task."""

    def run(server: Server, *, puzzles: int = 12, endpoint: Endpoint | None = None, **options: Any) -> Judged:
        settings = {name: options.pop(name) for name in ("samples", "legend", "limits") if name in options}
        return judge_endpoint(
            endpoint or server.endpoint(),
            server.model.sight.task,
            asking=Asking(puzzles=puzzles, style=STYLE, **settings),
            **options,
        )

    return run


@pytest.fixture(scope="session")
def know_by_heart() -> Callable[[Task, int], dict[str, np.ndarray]]:
    """The solution of every board that a run shows, by the hash of its file."""

    def learn(task: Task, count: int) -> dict[str, np.ndarray]:
        puzzles = task.generate("test", count, 0)
        source = ImageSource("digits")
        known: dict[str, np.ndarray] = {}
        for faces in (usual_faces(task, source, STYLE), legend_faces("letters", task, source, STYLE)):
            for row in range(count):
                png = board_png(task, puzzles, row, faces.bank, STYLE)
                known[hashlib.sha256(png).hexdigest()] = puzzles.solution[row].astype(np.int64)
        return known

    return learn
