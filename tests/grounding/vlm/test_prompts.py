"""Prompts: files of a version, which a folder may replace."""

import pytest

from groundcheck.datasets.errors import UsageError
from groundcheck.grounding.vlm.prompts import PLACES, VERSION, read_prompts
from groundcheck.grounding.vlm.questions import QUESTIONS

TASKS = ("mapping", "addition", "sudoku", "latin", "futoshiki")


def test_every_question_and_task_has_its_text() -> None:
    prompts = read_prompts()
    assert {*prompts.texts} == {
        *QUESTIONS,
        *(f"{part}-{task}" for part in ("scene", "rules") for task in TASKS),
    }
    assert {*PLACES} == {*QUESTIONS}
    assert prompts.version == str(VERSION)


def test_a_folder_replaces_what_it_holds(tmp_path) -> None:
    (tmp_path / "read.txt").write_text("Look. $scene Reply with $format for $$5.", encoding="utf-8")
    prompts, ours = read_prompts(tmp_path), read_prompts()
    assert (
        prompts.fill("read", {"scene": "A board.", "format": "JSON"})
        == "Look. A board. Reply with JSON for $5."
    )
    assert prompts.version == f"{VERSION}+"
    assert prompts.texts["answer"] == ours.texts["answer"]
    differing = {name for name in ours.digests if ours.digests[name] != prompts.digests[name]}
    assert differing == {"read"}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("reed.txt", b"$format", "replaces no prompt"),
        ("read.txt", b"$givens $format", r"names \$givens"),
        ("read.txt", b"no place", r"does not name \$format"),
        ("answer.txt", b"costs $ 5 $format", r"write \$\$"),
        ("answer.txt", b"\xff $format", "no text in UTF-8"),
        ("rules-latin.txt", b"$block", r"names \$block"),
    ],
)
def test_a_file_that_cannot_be_meant(name, content, told, tmp_path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=told):
        read_prompts(tmp_path)


def test_a_folder_without_prompts(tmp_path) -> None:
    with pytest.raises(UsageError, match="holds no prompts"):
        read_prompts(tmp_path)
    with pytest.raises(UsageError, match="is no folder"):
        read_prompts(tmp_path / "nowhere")
