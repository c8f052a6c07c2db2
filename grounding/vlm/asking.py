"""All questions about all boards: several boards at once, the questions of a board one after the other."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Int

from ...datasets.task import Puzzles, Task
from .boards import Style, board_png
from .client import Client
from .exchanges import Exchange
from .forms import BLANK, form_of
from .legends import Faces
from .prompts import Prompts
from .questions import QUESTIONS, Name, Question, Wording
from .spending import BudgetSpentError

Progress = Callable[[int, int], None]  # boards done, boards in all


@dataclass(frozen=True)
class Boards:
    """The puzzles that a model is shown, and how.

    Attributes:
        task: What they are of.
        puzzles: Themselves.
        usual: The faces of the questions (a) to (e).
        legend: Those of question (f).
        style: How pictures are drawn.
        prompts: The texts of the questions.
    """

    task: Task
    puzzles: Puzzles
    usual: Faces
    legend: Faces
    style: Style
    prompts: Prompts

    @cached_property
    def wording(self) -> Wording:
        """What the questions are made of."""
        form, other = form_of(self.task, self.usual.words), form_of(self.task, self.legend.words)
        return Wording(self.task, self.prompts, form, self.legend, other)

    @cached_property
    def seen(self) -> Int[np.ndarray, "puzzles variables"]:
        """The true symbols of the givens, −1 at the queries."""
        return np.where(self.puzzles.given, self.puzzles.solution, BLANK).astype(np.int64)

    @cached_property
    def partner(self) -> Int[np.ndarray, " puzzles"]:
        """The board whose picture takes the place of each one's: the next with another answer; −1: none."""
        answers = self.puzzles.solution[:, self.wording.form.answer_variables]
        count = len(answers)
        partner = np.full(count, -1)
        for row in range(count):
            others = ((row + step) % count for step in range(1, count))
            partner[row] = next((o for o in others if (answers[o] != answers[row]).any()), -1)
        return partner

    def picture(self, row: int, *, legend: bool = False) -> bytes:
        """The PNG of a puzzle."""
        puzzles = self.puzzles[row : row + 1]
        content = b"".join(part.tobytes() for part in (puzzles.solution, puzzles.given, puzzles.picture))
        return _drawn(self.task, self.legend if legend else self.usual, self.style, _Puzzle(content, puzzles))

    def questions(self, row: int, reading: Exchange | None) -> Iterator[Question]:
        """What is asked of a board once its `reading` is known."""
        wording, other = self.wording, int(self.partner[row])
        yield wording.answer(self.picture(row))
        yield wording.symbols(self.seen[row])
        if other >= 0 and reading is not None and reading.content:
            yield wording.exchanged(self.picture(other), reading.content)
        yield wording.relabelled(self.picture(row, legend=True))


@dataclass(frozen=True)
class _Puzzle:
    """A single puzzle, known by its content."""

    content: bytes
    puzzles: Puzzles = field(compare=False)


@lru_cache(maxsize=256)
def _drawn(task: Task, faces: Faces, style: Style, puzzle: _Puzzle) -> bytes:
    """Drawn once: a board is shown in several questions, and in the place of another."""
    return board_png(task, puzzle.puzzles, 0, faces.bank, style)


@dataclass
class Replies:
    """What came back: by question and sample an exchange of each board, None where it was not asked."""

    boards: int
    samples: int
    kept: dict[tuple[Name, int], list[Exchange | None]] = field(default_factory=dict)
    budget_spent: bool = False

    def __post_init__(self) -> None:
        for sample in range(self.samples):
            for name in QUESTIONS:
                self.kept[name, sample] = [None] * self.boards

    def put(self, name: Name, row: int, sample: int, exchange: Exchange) -> None:
        """Takes the reply to a question to its board; where none came it counts as not asked."""
        self.kept[name, sample][row] = None if exchange.error else exchange

    def every(self, *questions: Name) -> list[Exchange]:
        """All exchanges that brought a reply, each once: boards may share a question word by word."""
        wanted = questions or QUESTIONS
        found = (e for (name, _), kept in self.kept.items() if name in wanted for e in kept if e is not None)
        return list({exchange.key: exchange for exchange in found}.values())


async def ask_all(client: Client, boards: Boards, samples: int, progress: Progress) -> Replies:
    """Asks everything, or what the budget covers.

    Raises:
        DataUnavailableError: Where the endpoint is down.
        UsageError: Where it refuses what is asked.
    """
    count = len(boards.puzzles)
    replies = Replies(count, samples)
    jobs = iter([(sample, row) for sample in range(samples) for row in range(count)])
    done = 0

    async def work() -> None:
        nonlocal done
        for sample, row in jobs:
            if replies.budget_spent:
                return
            reading = await client.ask(boards.wording.read(boards.picture(row)), row, sample)
            replies.put("read", row, sample, reading)
            for question in boards.questions(row, None if reading.error else reading):
                replies.put(question.name, row, sample, await client.ask(question, row, sample))
            done += 1
            progress(done, samples * count)

    async def worker() -> None:
        try:
            await work()
        except BudgetSpentError:
            replies.budget_spent = True

    async with client:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(client.endpoint.concurrency):
                    group.create_task(worker())
        except* Exception as raised:
            error: BaseException = raised
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            first = error
            raise first from None
    return replies
