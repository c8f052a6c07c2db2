from pathlib import Path

import pytest

from groundcheck.datasets.errors import UnknownNameError
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.results.accounting import account, read_expected, require_known


def found(**statuses: str) -> list[Finding]:
    return [Finding(name.replace("_", "/"), status, f"reason of {name}") for name, status in statuses.items()]


FINDINGS = found(a_one="pass", a_two="fail", a_three="skip", b_four="error", b_five="inconclusive")


def test_every_check_is_counted_once() -> None:
    counted = account(FINDINGS)
    assert counted.collected == counted.ran + counted.errors + sum(counted.skipped.values()) == 5
    assert counted.ran == 3
    assert counted.skipped == {"reason of a_three": 1}
    assert counted.unexpected == ("a/two", "b/four")
    assert counted.sentence == "5 checks collected, 3 ran, 1 skipped, 1 broke"
    assert not counted.too_few
    assert counted.warnings == []
    twice = account(found(a="pass", b="pass", c="error"))
    assert (twice.collected, twice.ran, twice.errors) == (3, 2, 1)


def test_expected_failures_do_not_count_and_lists_that_are_wrong_are_told() -> None:
    counted = account(FINDINGS, ["a/two", "b/*", "a/one", "c/none"])
    assert counted.unexpected == ()
    assert counted.expected == ("a/two", "b/four")
    assert counted.passed_though_expected == ("a/one",)
    assert counted.unmatched == ("c/none",)
    assert len(counted.warnings) == 2
    assert "failed as expected" in counted.sentence


@pytest.mark.parametrize(
    ("findings", "too_few"),
    [
        ([], True),
        (found(a="skip", b="skip"), True),
        (found(a="pass", b="skip", c="skip", d="skip", e="skip"), True),
        (found(a="pass", b="skip", c="skip", d="skip"), False),
        (found(a="error"), True),
    ],
)
def test_too_few_ran(findings: list[Finding], too_few: bool) -> None:
    assert account(findings).too_few is too_few


def test_the_list_of_expected_failures_is_read(tmp_path: Path) -> None:
    path = tmp_path / "expected"
    path.write_text("# known\n contract/range/*  # rounding\n\nleak/labels/sudoku\n")
    assert read_expected(path) == ["contract/range/*", "leak/labels/sudoku"]
    with pytest.raises(ValueError, match="cannot be read"):
        read_expected(tmp_path / "absent")


def test_an_expectation_that_no_check_answers_to_is_refused_with_the_nearest() -> None:
    known = ["sudoku[size=4]", "sudoku[size=9]"]
    require_known(["contract/range/sudoku[size=4]", "contract/*/sudoku*", "grounding/*", "*"], known)
    for wrong, words in {
        "contract/rnge/sudoku[size=9]": r"did you mean contract/range/sudoku\[size=9\] or",
        "contract/range": "did you mean contract/range/",
        "contract/range/sudoku[size=?]": "names no check of this run",
        "*nowhere*": r"named like contract/build/sudoku\[size=4\]",
    }.items():
        with pytest.raises(UnknownNameError, match=words):
            require_known(["*", wrong], known)
