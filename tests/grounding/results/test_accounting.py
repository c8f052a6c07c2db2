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


@pytest.mark.parametrize(
    ("ran", "others", "too_few"), [(1, 3, False), (1, 4, True), (2, 6, False), (2, 7, True)]
)
def test_a_quarter_has_to_run(ran: int, others: int, too_few: bool) -> None:
    findings = found(
        **{f"r{n}": "inconclusive" for n in range(ran)}, **{f"s{n}": "skip" for n in range(others)}
    )
    assert account(findings).too_few is too_few


def test_what_is_told_is_what_there_was() -> None:
    quiet = account(found(a="pass"))
    assert quiet.sentence == "1 check collected, 1 ran, 0 skipped"
    assert (quiet.expected, quiet.unexpected, quiet.skipped) == ((), (), {})
    skips = [Finding(name, "skip", "no rules") for name in "abc"] + found(d="skip")
    assert account(skips).skipped == {"no rules": 3, "reason of d": 1}
    assert account(skips).sentence == "4 checks collected, 0 ran, 4 skipped"
    expected = account(found(a="fail", b="error", c="fail"), ["a", "b"])
    assert expected.sentence == "3 checks collected, 2 ran, 0 skipped, 1 broke, 2 failed as expected"
    assert (expected.unexpected, expected.warnings) == (("c",), [])


def test_an_expectation_is_told_as_unmatched_or_as_passed_and_never_as_both() -> None:
    counted = account(found(a_one="pass", a_two="fail", b="pass"), ["a/*", "b", "c", "a/one"])
    assert (counted.passed_though_expected, counted.unmatched) == (("b", "a/one"), ("c",))
    assert counted.warnings == [
        "--expect: no check is called c", "--expect: b did not fail", "--expect: a/one did not fail",
    ]  # fmt: skip


def test_only_a_star_stands_for_anything() -> None:
    findings = found(a_b="fail", axb="fail")
    assert account(findings, ["a.b"]).expected == ()
    assert account(findings, ["a/b"]).expected == ("a/b",)
    assert account(findings, ["a*b"]).expected == ("a/b", "axb")
    assert account(findings, ["a"]).expected == ()
    assert account([Finding("a\nb", "fail", "")], ["a*b"]).expected == ("a\nb",)
