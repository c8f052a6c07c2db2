"""Remedies follow what the same report knows."""

import numpy as np
import pytest

from groundcheck.grounding import remedies
from groundcheck.grounding.diagnosis.cause import Explanation
from groundcheck.grounding.measures.identifiability import Identifiability
from groundcheck.grounding.remedies import UNKNOWN, Evidence, Verdict, remedy

SOUND = {"contract/gradient-beliefs": "pass", "contract/gradient-parameters": "pass"}
ONE = Identifiability(1, True, np.eye(2, dtype=bool), (), 10, 1)
TWO = Identifiability(2, True, np.ones((2, 2), dtype=bool), ((1, 0),), 10, 1)


@pytest.mark.parametrize(
    ("verdict", "known", "words"),
    [
        ("UNGROUNDED", Evidence(0.1, SOUND), "0.10 of the puzzles from true symbols"),
        ("UNGROUNDED", Evidence(1.0, SOUND), "its gradient checks passed"),
        ("UNGROUNDED", Evidence(1.0, {"contract/gradient-beliefs": "fail"}), "contract/gradient-beliefs did"),
        ("NOT REASONING", Evidence(0.1, SOUND), "Perception is fine. It answers 0.10"),
        ("NOT REASONING", Evidence(1.0, SOUND), "reasons on true symbols"),
        ("SHORTCUT", Evidence(identified=[ONE]), "tell all symbols apart"),
        ("SHORTCUT", Evidence(identified=[ONE, TWO]), "do not tell these symbols apart"),
        ("ERROR", Evidence(traceback=True), "traceback"),
        ("INCONCLUSIVE", Evidence(unfit=True), "Let the ceiling read first"),
        ("INCONCLUSIVE", Evidence(broken_ceiling=True), "why the ceiling broke"),
    ],
)
def test_what_is_known_decides_what_to_do(verdict: Verdict, known: Evidence, words: str) -> None:
    assert words in remedy(verdict, known)


@pytest.mark.parametrize("symbols", [0.1, 1.0])
def test_nobody_is_sent_to_a_gradient_that_passed(symbols: float) -> None:
    assert "Check the solver's gradient" not in remedy("UNGROUNDED", Evidence(symbols, SOUND))
    assert "Mend the gradient" not in remedy("UNGROUNDED", Evidence(symbols, SOUND))


def test_no_traceback_is_promised_where_there_is_none() -> None:
    assert "traceback" not in remedy("ERROR", Evidence())


@pytest.mark.parametrize("verdict", UNKNOWN)
def test_where_nothing_else_is_known_there_is_one_answer_each(verdict: Verdict) -> None:
    assert remedy(verdict, Evidence()) == UNKNOWN[verdict]


ALL = Evidence(
    0.1, {"contract/gradient-beliefs": "fail"}, [TWO], traceback=True, unfit=True, broken_ceiling=True
)


def test_what_is_known_reaches_the_verdicts_that_it_explains_and_no_other() -> None:
    """With everything there is to know, each verdict hears of its own evidence."""
    heard = {verdict for verdict in UNKNOWN if remedy(verdict, ALL) != UNKNOWN[verdict]}
    assert heard == {"UNGROUNDED", "NOT REASONING", "SHORTCUT", "ERROR", "INCONCLUSIVE"}


@pytest.mark.parametrize(
    ("known", "ungrounded", "not_reasoning"),
    [
        (
            Evidence(gradients={"a": "error"}),
            "Mend the gradient first: a did",
            "Mend the gradient first: a did",
        ),
        (Evidence(0.1, {"a": "fail", "b": "pass", "c": "error"}), "a, c did not pass", "a, c did not pass"),
        (Evidence(gradients={"a": "inconclusive"}), UNKNOWN["UNGROUNDED"], UNKNOWN["NOT REASONING"]),
        (Evidence(0.9499, {"a": "skip"}), "It answers 0.95", "Perception is fine. It answers 0.95"),
        (Evidence(0.95, {"a": "pass"}), "its gradient checks passed", "reasons on true symbols"),
        (Evidence(0.95, {"a": "skip"}), UNKNOWN["UNGROUNDED"], "reasons on true symbols"),
        (Evidence(None, {"a": "pass"}), UNKNOWN["UNGROUNDED"], UNKNOWN["NOT REASONING"]),
        (Evidence(0.0), "It answers 0.00", "Perception is fine. It answers 0.00"),
    ],
)
def test_a_gradient_comes_before_the_symbols_and_these_before_the_rest(
    known: Evidence, ungrounded: str, not_reasoning: str
) -> None:
    told = remedy("UNGROUNDED", known)
    assert ungrounded in told
    assert not told.startswith("Perception is fine")
    assert not_reasoning in remedy("NOT REASONING", known)


def test_a_ceiling_that_read_badly_comes_before_one_that_broke() -> None:
    both = remedy("INCONCLUSIVE", Evidence(unfit=True, broken_ceiling=True))
    assert both == remedy("INCONCLUSIVE", Evidence(unfit=True)) != UNKNOWN["INCONCLUSIVE"]
    assert remedy("INCONCLUSIVE", Evidence(broken_ceiling=True)) not in (both, UNKNOWN["INCONCLUSIVE"])
    counting_stopped = Identifiability(1, False, np.eye(2, dtype=bool), (), 10, 1)
    assert "do not tell" in remedy("SHORTCUT", Evidence(identified=[counting_stopped]))


@pytest.mark.parametrize(
    ("verdict", "names"),
    [
        ("UNGROUNDED", ("SOUND_PARTS", "SOUND_AND_STOPPED")),
        ("NOT REASONING", ("REASONS_ON_SYMBOLS", "REASONS_AND_STOPPED")),
        ("SHORTCUT", ("TOLD_APART", "TOLD_APART_AND_STOPPED")),
    ],
)
def test_trials_that_show_where_accuracy_was_going_change_the_advice(
    verdict: Verdict, names: tuple[str, str]
) -> None:
    for stopped, name in zip((False, True), names, strict=True):
        assert remedy(verdict, Evidence(1.0, SOUND, [ONE], stopped=stopped)) == getattr(remedies, name)


@pytest.mark.parametrize("verdict", UNKNOWN)
@pytest.mark.parametrize("cause", ["solver", "budget"])
def test_a_named_cause_is_told_to_those_that_fail(verdict: Verdict, cause: str) -> None:
    named = Explanation(cause, "", 1.0, "", "Do this.", "")
    fine = "Perception is fine. " if (verdict, cause) == ("NOT REASONING", "solver") else ""
    failing = verdict in ("UNGROUNDED", "NOT REASONING", "SHORTCUT")
    assert remedy(verdict, Evidence(causes=[named])) == (f"{fine}Do this." if failing else UNKNOWN[verdict])
