"""Remedies follow what the same report knows."""

import numpy as np
import pytest

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
