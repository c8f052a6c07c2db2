"""What was read and answered, as the scores of a trial, and as figures of their own."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Int

from ..measures.asked import Asked, Share, share_of
from ..measures.metrics import (
    Scores,
    best_relabelling,
    board_intervals,
    collapse,
    confusion_matrix,
    guess_answers,
    guess_readings,
    score,
)
from ..measures.report_samples import BOARDS, Board
from ..measures.statistics import clustered_interval
from .asking import Boards, Replies
from .questions import QUESTIONS, Name
from .samples import Sample, Truth, completion_of, replies_to
from .spending import Spending

GUESSED_FROM = 300  # puzzles of the training split that the best guess is taken from


def scores_of(boards: Boards, truth: Truth, sample: Sample) -> Scores | None:
    """Reading and answers of one sample as the scores of a trial; None where no board has both.

    A reading that cannot be understood tells nothing, and its board is left out; such an answer is wrong.

    Readings are counted where a picture or sign stands, and where one is read though none does.
    The relabelling behind `aligned` is fitted on every other board and scored on the rest, both ways.
    """
    answered, rows = sample.told["answer"], sample.scored
    if not rows.any():
        return None
    problem = boards.task.problem
    right = read_right(truth, sample)
    completion = completion_of(answered.symbols, answered.usable, truth.solution, problem)
    kept = (completion[rows], truth.given[rows], truth.solution[rows])
    scores = score(*kept, right[rows])
    shown = (truth.shown | ~right) & rows[:, None]  # and what is read where nothing stands
    aligned = _aligned_right(truth, sample, right, len(boards.task.classes)) & shown
    raw, sizes = (right & shown)[rows].sum(1).astype(float), shown[rows].sum(1).astype(float)
    confusion = _confusion(truth, sample, rows, len(boards.task.classes))
    image = truth.image[rows]
    intervals = board_intervals(*kept, image, right[rows])
    intervals["read"] = intervals.get("read") or clustered_interval(
        right[rows].all(1).astype(float), np.ones(len(image)), image
    )
    hits = {"raw": raw, "aligned": aligned[rows].sum(1).astype(float)}
    guesses = _guesses(boards, truth, rows)
    return replace(
        scores,
        raw=float(raw.sum() / sizes.sum()),
        aligned=float(hits["aligned"].sum() / sizes.sum()),
        collapse=collapse(confusion),
        images=int(sizes.sum()),
        confusion=confusion.tolist(),
        relabelling=_relabelling(confusion).tolist(),
        boards=_drawn(truth, sample, rows),
        intervals=intervals | {name: clustered_interval(one, sizes, image) for name, one in hits.items()},
        guessed_task=guesses[0],
        guessed_read=guesses[1],
        guessed_aligned=guesses[2],
    )


def allowed_scores(boards: Boards, truth: Truth, sample: Sample) -> Scores | None:
    """(d) as the scores of a trial: what the exact rules answer on top of its own reading.

    Its grounding is that of a reader who makes no mistake: what a reading is held against.
    """
    rows = sample.scored
    if not rows.any():
        return None
    completion = completion_of(sample.allowed, sample.determined, truth.solution, boards.task.problem)
    kept = (completion[rows], truth.given[rows], truth.solution[rows])
    right = read_right(truth, sample)[rows]
    own = score(*kept, right)
    intervals = board_intervals(*kept, truth.image[rows], right)
    shown = int((truth.shown & rows[:, None]).sum())
    return replace(own, raw=1.0, aligned=1.0, images=shown, intervals={"task": intervals["task"]})


def text_scores(boards: Boards, truth: Truth, sample: Sample) -> Scores | None:
    """(c) as the scores of a trial on true symbols."""
    told = sample.told["symbols"]
    if not told.asked.any():
        return None
    rows = told.asked
    completion = completion_of(told.symbols, told.usable, truth.solution, boards.task.problem)
    kept = (completion[rows], truth.given[rows], truth.solution[rows])
    right = np.ones_like(truth.given[rows])
    intervals = board_intervals(*kept, np.full_like(truth.image[rows], -1), right)
    return replace(score(*kept, right), intervals=intervals)


def read_right(truth: Truth, sample: Sample) -> Bool[np.ndarray, "boards variables"]:
    """Where a reading says what is there; empty cells are to be read as empty."""
    return (sample.reading.symbols == truth.expected) | ~truth.told_of


def asked_figures(
    boards: Boards, truth: Truth, samples: Sequence[Sample], replies: Replies, spending: Spending
) -> Asked:
    """Every figure over all samples, whose replies about one board depend on each other."""
    queries = np.tile(~truth.given, (len(samples), 1))
    solution = np.tile(truth.solution, (len(samples), 1))
    image = np.tile(truth.clusters, (len(samples), 1))

    def stacked(part: str, name: Name) -> np.ndarray:
        return np.concatenate([getattr(sample.told[name], part) for sample in samples])

    def right(name: Name) -> Bool[np.ndarray, " boards"]:
        same: Bool[np.ndarray, "boards variables"] = (stacked("symbols", name) == solution) | ~queries
        return stacked("usable", name) & same.all(axis=1)

    read = np.concatenate([read_right(truth, sample).all(axis=1) for sample in samples])
    allowed = np.concatenate([sample.allowed for sample in samples])
    determined = np.concatenate([sample.determined for sample in samples])
    understood, answer_came = stacked("usable", "read"), stacked("asked", "answer")
    both = understood & answer_came
    answered = right("answer")
    own = stacked("usable", "answer") & np.all((stacked("symbols", "answer") == allowed) | ~queries, axis=1)
    picture, transcript, exchanged = _followed(boards, truth, samples)
    strict = np.concatenate([_strictly_right(boards, truth, replies, s.number) for s in samples])
    came = stacked("asked", "read")
    shares = [
        share_of("understood", "readings that can be understood", understood, came, image),
        share_of("read", "boards read without an error", read, understood, image),
        share_of("answered", "answered from the picture", answered, answer_came, image),
        share_of(
            "answered_strictly", "the same, only replies that fit the schema", strict, answer_came, image
        ),
        share_of("answered_read", "answered where the reading is right", answered, both & read, image),
        share_of("answered_misread", "answered where the reading is wrong", answered, both & ~read, image),
        share_of(
            "allowed", "its own reading handed to the exact rules",
            np.all((allowed == solution) | ~queries, axis=1), both, image,
        ),
        share_of("consistent", "answers that follow from its own reading", own, both & determined, image),
        share_of(
            "symbols", "answered from the true symbols as text",
            right("symbols"), stacked("asked", "symbols"), image,
        ),
        share_of(
            "follows_picture", "exchanged picture: follows the picture", picture, exchanged, image
        ),
        share_of(
            "follows_transcript", "exchanged picture: follows its transcript", transcript, exchanged, image
        ),
        share_of(
            "follows_neither", "exchanged picture: follows neither", ~picture & ~transcript, exchanged, image
        ),
        share_of(
            "legend", f"answered with {boards.legend.name} for symbols",
            right("legend"), stacked("asked", "legend"), image,
        ),
        *_parsed(samples),
    ]  # fmt: skip
    return Asked(shares, _counts(samples, replies, spending))


def _followed(
    boards: Boards, truth: Truth, samples: Sequence[Sample]
) -> tuple[Bool[np.ndarray, " boards"], Bool[np.ndarray, " boards"], Bool[np.ndarray, " boards"]]:
    """(e) Which answers are those of the picture, which those of the transcript, and of which it can be told.

    Told where the transcript has one answer, and that is not the picture's.
    """
    variables = boards.wording.form.answer_variables
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for sample in samples:
        told = sample.told["exchanged"]
        shown = truth.solution[boards.partner][:, variables]  # of the picture that took its place
        kept, said = sample.allowed[:, variables], told.symbols[:, variables]
        counted = told.asked & sample.determined & (boards.partner >= 0) & (kept != shown).any(axis=1)
        parts.append(
            (told.usable & (said == shown).all(axis=1), told.usable & (said == kept).all(axis=1), counted)
        )
    picture, transcript, counted = (np.concatenate(part) for part in zip(*parts, strict=True))
    return picture, transcript, counted


def _strictly_right(
    boards: Boards, truth: Truth, replies: Replies, number: int
) -> Bool[np.ndarray, " boards"]:
    told = replies_to(boards, replies, "answer", number, strict=True)
    return told.agrees(truth.solution, ~truth.given)


def _parsed(samples: Sequence[Sample]) -> list[Share]:
    """How many replies fit the schema as they stand, and how many can be understood."""
    kinds = [told.kinds for sample in samples for told in sample.told.values()]
    total = sum(sum(kind.values()) for kind in kinds)
    strict = sum(kind.get("strict", 0) for kind in kinds)
    lenient = strict + sum(kind.get("lenient", 0) for kind in kinds)
    whole, none = np.ones(total), np.full((total, 1), -1)
    shares: list[Share] = []
    for name, title, count in (
        ("strict", "replies that fit the schema", strict),
        ("lenient", "replies that can be understood", lenient),
    ):
        hits = (np.arange(total) < count).astype(float)
        interval = clustered_interval(hits, whole, none) if total else None
        shares.append(Share(name, title, count / total if total else None, total, interval))
    return shares


def _counts(samples: Sequence[Sample], replies: Replies, spending: Spending) -> dict[str, int]:
    told = [sample.told[name] for sample in samples for name in QUESTIONS]
    every = replies.every()
    return {
        "replies": len(every),
        "refused": sum(one.kinds.get("refused", 0) for one in told),
        "malformed": sum(one.kinds.get("malformed", 0) for one in told),
        "truncated": sum(exchange.truncated for exchange in every),
        "without_schema": sum(not exchange.schema for exchange in every),
        "requests": sum(exchange.attempts for exchange in every),
        "prompt_tokens": sum(exchange.usage.get("prompt_tokens", 0) for exchange in every),
        "completion_tokens": sum(exchange.usage.get("completion_tokens", 0) for exchange in every),
        "requests_now": spending.requests,
        "tokens_now": spending.tokens,
    }


def _confusion(
    truth: Truth, sample: Sample, rows: Bool[np.ndarray, " boards"], symbols: int
) -> Int[np.ndarray, "true predicted"]:
    """Pictures as read; what was read as no symbol is in none of its columns."""
    read = sample.reading.symbols
    counted = truth.pictures & rows[:, None] & (read >= 0) & (read < symbols)
    return confusion_matrix(truth.solution[counted], read[counted], symbols)


def _relabelling(confusion: Int[np.ndarray, "true predicted"]) -> Int[np.ndarray, " predicted"]:
    """The best one; where counts do not tell, a symbol keeps its name."""
    symbols = len(confusion)
    return best_relabelling((symbols + 1) * confusion + np.eye(symbols, dtype=confusion.dtype))


def _aligned_right(
    truth: Truth, sample: Sample, right: Bool[np.ndarray, "boards variables"], symbols: int
) -> Bool[np.ndarray, "boards variables"]:
    """Readings that are right after a relabelling that other boards tell; signs keep their names."""
    aligned = right.copy()
    read = sample.reading.symbols
    even = np.arange(len(read)) % 2 == 0
    for half in (even, ~even):
        renamed = _relabelling(_confusion(truth, sample, ~half & sample.reading.usable, symbols))
        known = half[:, None] & truth.pictures & (read >= 0) & (read < symbols)
        aligned[known] = renamed[read[known]] == truth.solution[known]
    return aligned


def _guesses(boards: Boards, truth: Truth, rows: Bool[np.ndarray, " boards"]) -> tuple[float, float, float]:
    """What guessing reaches: of answers, of whole readings, of single ones."""
    training = boards.task.generate("train", GUESSED_FROM, 0)
    known = np.where(training.given, -1, training.solution.astype(np.int64))
    task = guess_answers(known, truth.solution[rows], truth.given[rows])
    symbol = np.where(truth.pictures, truth.solution, -1)[rows]
    counts = np.bincount(symbol[symbol >= 0], minlength=len(boards.task.classes))
    return (task, *guess_readings(symbol, np.diag(counts)))


def _drawn(truth: Truth, sample: Sample, rows: Bool[np.ndarray, " boards"]) -> list[Board]:
    """The first boards for the page."""
    answered = sample.told["answer"]
    drawn: list[Board] = []
    for row in np.flatnonzero(rows)[:BOARDS].tolist():
        read = np.where(truth.shown[row], np.maximum(sample.reading.symbols[row], -1), -1)
        answer = np.maximum(answered.symbols[row], -1) if answered.usable[row] else np.full(len(read), -1)
        drawn.append(
            Board(
                image=truth.image[row].tolist(),
                read=read.tolist(),
                given=truth.given[row].tolist(),
                answer=answer.tolist(),
                solution=truth.solution[row].tolist(),
            )
        )
    return drawn
