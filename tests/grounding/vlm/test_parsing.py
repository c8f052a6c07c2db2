"""Replies as symbols: strictly, leniently, and what cannot be understood."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundcheck.datasets.catalogue import TASKS
from groundcheck.datasets.errors import UsageError
from groundcheck.grounding.vlm.forms import form_of, format_of, schema_of, written
from groundcheck.grounding.vlm.parsing import parse

WORDS = ("1", "2", "3", "4")
GRID = form_of(TASKS.load("sudoku")(), WORDS)
ROWS = [["1", "2", "3", "4"], ["3", "4", "1", "2"], ["2", "1", "4", "3"], ["4", "3", "2", "1"]]
SYMBOLS = [int(word) - 1 for row in ROWS for word in row]
STRICT = json.dumps({"cells": ROWS})


def answer(content: str, **options):
    return parse(content, GRID.answer, 16, **options)


def test_what_fits_the_schema_is_strict() -> None:
    parsed = answer(f"\n {STRICT} ")
    assert (parsed.kind, parsed.symbols.tolist()) == ("strict", SYMBOLS)


LENIENT = {
    "fence": f"```json\n{STRICT}\n```",
    "prose": f"The solution is {STRICT}, as you see.",
    "thought": f"<think>perhaps {{'cells': 1}}?</think>{STRICT}",
    "numbers": json.dumps({"cells": [[int(word) for word in row] for row in ROWS]}),
    "floats": json.dumps({"cells": [[float(word) for word in row] for row in ROWS]}),
    "rows as text": json.dumps({"cells": ["".join(row) for row in ROWS]}),
    "spaced rows": json.dumps({"cells": [" ".join(row) for row in ROWS]}),
    "one line": json.dumps({"cells": [word for row in ROWS for word in row]}),
    "one text": json.dumps({"cells": "\n".join(" ".join(row) for row in ROWS)}),
    "bare list": json.dumps(ROWS),
    "another key": json.dumps({"solution": ROWS}),
    "wrapped": json.dumps({"answer": {"cells": ROWS}}),
    "more keys": json.dumps({"cells": ROWS, "note": "done"}),
    "trailing comma": STRICT.replace("]]", "],]"),
    "comment": STRICT.replace("]]", "]] // all of them\n"),
    "python": str({"cells": ROWS}),
    "key in capitals": STRICT.replace("cells", "Cells"),
    "two objects": f'first I thought {{"cells": [["4"]]}}, then {STRICT}',
    "rows by name": json.dumps({"cells": {f"row{n}": row for n, row in enumerate(ROWS)}}),
}


@pytest.mark.parametrize("content", LENIENT.values(), ids=LENIENT)
def test_what_can_be_understood_is_lenient(content) -> None:
    parsed = answer(content)
    assert (parsed.kind, parsed.symbols.tolist()) == ("lenient", SYMBOLS)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no idea",
        STRICT[:-4],
        '{"cells": []}',
        '{"cells": [["1","2"]]}',
        "null",
        "[" * 5000,
        '{"cells": 7}',
    ],
)
def test_what_cannot_be_understood_is_malformed(content) -> None:
    assert answer(content).kind == "malformed"
    assert answer(content).symbols is None


def test_refusals() -> None:
    assert answer("I'm sorry, but I can't solve this.").kind == "refused"
    assert answer("I cannot see pictures.").kind == "refused"
    assert answer(STRICT, refused=True).kind == "refused"
    assert answer(f"I can't be sure, but: {STRICT}").kind == "lenient"


def test_a_word_that_is_no_symbol_is_not_strict_and_counts_as_unreadable() -> None:
    parsed = answer(STRICT.replace('"1"', '"9"', 1))
    assert (parsed.kind, parsed.symbols[0], parsed.symbols[1]) == ("lenient", -2, 1)


@pytest.mark.parametrize("empty", ["", ".", "_", "0", None, "?"])
def test_empty_cells_of_a_reading(empty) -> None:
    rows = [[empty, *row[1:]] for row in ROWS]
    parsed = parse(json.dumps({"cells": rows}), GRID.reading, 16)
    assert parsed.kind == ("strict" if empty == "" else "lenient")
    assert parsed.symbols.tolist() == [-1 if place % 4 == 0 else s for place, s in enumerate(SYMBOLS)]


def test_an_empty_cell_of_an_answer_is_not_strict() -> None:
    assert answer(STRICT.replace('"1"', '""', 1)).kind == "lenient"


def test_zero_is_a_digit_where_it_is_a_symbol() -> None:
    form = form_of(TASKS.load("addition")(), tuple("0123456789"))
    parsed = parse('{"sum": ["0", "7"]}', form.answer, 4)
    assert (parsed.kind, parsed.symbols.tolist()) == ("strict", [-2, -2, 0, 7])
    assert parse('{"sum": 7}', form.answer, 4).symbols.tolist() == [-2, -2, 0, 7]
    assert parse('{"sum": "17"}', form.answer, 4).symbols.tolist() == [-2, -2, 1, 7]


def test_signs_may_be_written_as_they_are_drawn() -> None:
    task = TASKS.load("futoshiki")(size=3)
    form = form_of(task, ("1", "2", "3"))
    symbols = task.generate("test", 1, 0).solution[0].astype(np.int64)
    content = json.dumps(written(form.reading, symbols), ensure_ascii=False)
    assert parse(content, form.reading, len(symbols)).kind == "strict"
    drawn = content.replace("^", "∧").replace("v", "∨")
    assert drawn != content
    parsed = parse(drawn, form.reading, len(symbols))
    assert (parsed.kind, parsed.symbols.tolist()) == ("lenient", symbols.tolist())


CASES = [
    ("mapping", {}), ("addition", {"digits": 3}), ("sudoku", {"permuted": True}), ("sudoku", {"size": 6}),
    ("sudoku", {"size": 9}), ("latin", {}), ("futoshiki", {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), CASES)
def test_what_is_written_is_read_again(name, options) -> None:
    """Of every task: a reading and an answer, written as JSON, are those symbols, and fit the schema."""
    task = TASKS.load(name)(**options)
    form = form_of(task, tuple(str(label) for label in task.classes))
    puzzles = task.generate("test", 1, 0)
    solution = puzzles.solution[0].astype(np.int64)
    seen = np.where(puzzles.given[0], solution, -1)
    for fields, symbols in ((form.reading, seen), (form.answer, solution)):
        parsed = parse(json.dumps(written(fields, symbols)), fields, len(solution))
        told = np.concatenate([field.variables.ravel() for field in fields])
        assert parsed.kind == "strict"
        assert parsed.symbols[told].tolist() == symbols[told].tolist()
        assert schema_of(fields)["required"] == [field.name for field in fields]
        assert all(f'"{field.name}"' in format_of(fields) for field in fields)
    every = {*form.reading_variables().tolist(), *form.answer_variables.tolist()}
    assert every == set(range(len(solution)))


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("queens", {}, "no questions about queens"), ("sudoku", {"size": 16}, "of size 16"),
        ("sudoku", {"seen": "symbols"}, "leave out seen"), ("visudo", {}, "it asks about mapping"),
    ],
)  # fmt: skip
def test_a_task_that_no_question_is_written_for(name, options, told) -> None:
    with pytest.raises(UsageError, match=told):
        form_of(TASKS.load(name)(**options), WORDS)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="{}[]\":,\\1234cels \n'/`", max_size=60))
def test_no_text_breaks_the_parser(content: str) -> None:
    assert answer(content).kind in ("strict", "lenient", "malformed", "refused")
