"""Replies as arrays: what a model read of each board, what it answered, and what its reading allows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from ...datasets.batch import assemble
from ...datasets.problem import Problem
from ..measures.interventions import determined_answers
from .asking import Boards, Replies
from .forms import BLANK, UNREADABLE
from .legends import PRINTED
from .parsing import Kind, parse
from .questions import QUESTIONS, Name


@dataclass(frozen=True)
class Told:
    """The replies to one question, by board.

    Attributes:
        asked: Whether a reply came.
        usable: Whether it could be parsed.
        symbols: What it says; −1 where it says nothing, −2 where that is no symbol.
        kinds: How often replies were parsed which way.
    """

    asked: Bool[np.ndarray, " boards"]
    usable: Bool[np.ndarray, " boards"]
    symbols: Int[np.ndarray, "boards variables"]
    kinds: Mapping[Kind, int] = field(default_factory=dict)

    def agrees(
        self, symbols: Int[np.ndarray, "boards variables"], where: Bool[np.ndarray, "boards variables"]
    ) -> Bool[np.ndarray, " boards"]:
        """On which boards it says these symbols at every place of `where`."""
        return self.usable & np.all((self.symbols == symbols) | ~where, axis=1)


@dataclass(frozen=True)
class Sample:
    """One repetition of all questions.

    Attributes:
        number: From 0 on.
        told: What came back, by question.
        allowed: What the exact rules make of each reading, question (d); −1 throughout where they leave no
            answer or several.
    """

    number: int
    told: Mapping[Name, Told]
    allowed: Int[np.ndarray, "boards variables"]

    @property
    def reading(self) -> Told:
        """(a)"""
        return self.told["read"]

    @property
    def scored(self) -> Bool[np.ndarray, " boards"]:
        """Boards that verdicts rest on: read so that it can be understood, and asked for an answer.

        What a reading says that cannot be understood is not known, and so it is neither right nor wrong.
        """
        return self.reading.usable & self.told["answer"].asked

    @property
    def determined(self) -> Bool[np.ndarray, " boards"]:
        """On which boards its reading has exactly one answer."""
        return self.reading.usable & np.all(self.allowed >= 0, axis=1)


@dataclass(frozen=True)
class Truth:
    """What is asked about, as arrays; `image` is the row of the image set that a variable shows, −1 none.

    `expected` is what a right reading says, at the variables that `told_of` it.
    """

    given: Bool[np.ndarray, "boards variables"]
    solution: Int[np.ndarray, "boards variables"]
    image: Int[np.ndarray, "boards variables"]
    expected: Int[np.ndarray, "boards variables"]
    told_of: Bool[np.ndarray, " variables"]
    shown: Bool[np.ndarray, "boards variables"]  # pictures and signs that are there to be read
    pictures: Bool[np.ndarray, "boards variables"]  # without the signs

    @property
    def clusters(self) -> Int[np.ndarray, "boards places"]:
        """What boards have in common: the images that they show, and, over samples, the board itself."""
        own = self.image.max(initial=-1) + 1 + np.arange(len(self.image))
        return np.concatenate([self.image, own[:, None]], axis=1)


def truth_of(boards: Boards) -> Truth:
    """The truth about boards."""
    puzzles, form = boards.puzzles, boards.wording.form
    examples, sealed = assemble(boards.task, puzzles, boards.usual.bank)
    solution = sealed.solution.numpy(force=True).astype(np.int64)
    image = examples.image.numpy(force=True).astype(np.int64)
    if boards.usual.origin.startswith(PRINTED):
        image = np.full_like(image, -1)  # there is one picture of each symbol, and no others to be drawn
    told_of = np.zeros(solution.shape[1], dtype=bool)
    told_of[form.reading_variables()] = True
    signs = np.zeros_like(told_of)
    signs[form.signs] = True
    pictures = puzzles.given & told_of & ~signs
    return Truth(
        given=puzzles.given,
        solution=solution,
        image=image,
        expected=np.where(puzzles.given, solution, BLANK),
        told_of=told_of,
        shown=pictures | (signs & (solution > 0)),
        pictures=pictures,
    )


def sample_of(boards: Boards, replies: Replies, number: int) -> Sample:
    """The replies of one sample as arrays; those that can be understood count as well."""
    told: dict[Name, Told] = {name: replies_to(boards, replies, name, number) for name in QUESTIONS}
    return Sample(number, told, allowed_answers(boards.task.problem, told["read"]))


def replies_to(boards: Boards, replies: Replies, name: Name, number: int, *, strict: bool = False) -> Told:
    """The replies to one question as arrays.

    Args:
        boards: What was asked about.
        replies: What came back.
        name: Of the question.
        number: Of the sample.
        strict: Whether to take only replies that fit the schema as they stand.
    """
    wording = boards.wording
    form = wording.legend_form if name == "legend" else wording.form
    fields = form.reading if name == "read" else form.answer
    count, variables = boards.puzzles.solution.shape
    asked, usable = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    symbols = np.full((count, variables), UNREADABLE)
    kinds: dict[Kind, int] = dict.fromkeys(("strict", "lenient", "malformed", "refused"), 0)
    for row, exchange in enumerate(replies.kept[name, number]):
        if exchange is None:
            continue
        asked[row] = True
        parsed = parse(exchange.content or "", fields, variables, refused=exchange.refusal)
        kinds[parsed.kind] += 1
        if parsed.symbols is not None and (parsed.kind == "strict" or not strict):
            usable[row], symbols[row] = True, parsed.symbols
    return Told(asked, usable, symbols, kinds)


def allowed_answers(problem: Problem, reading: Told) -> Int[np.ndarray, "boards variables"]:
    """(d) A reading handed to the exact rules: its symbols and the one answer that follows, else −1.

    What was read as no symbol is left open, as is an empty cell.
    """
    facts = np.where(reading.symbols >= 0, reading.symbols, BLANK)
    facts[~reading.usable] = BLANK
    known = facts >= 0
    whole = np.where(known, facts, determined_answers(problem, known, facts))
    whole[(whole < 0).any(axis=1)] = BLANK
    return whole


def completion_of(
    told: Int[np.ndarray, "boards variables"],
    usable: Bool[np.ndarray, " boards"],
    solution: Int[np.ndarray, "boards variables"],
    problem: Problem,
) -> Float[np.ndarray, "boards variables symbols"]:
    """Answers as completions: NaN where a reply could not be used, a wrong symbol where it names none."""
    wrong = (solution + 1) % np.asarray(problem.domains)
    completion = np.eye(problem.symbols)[np.where(told >= 0, told, wrong)]
    completion[~usable] = np.nan
    return completion
