from pathlib import Path

import pytest

from groundcheck.grounding.checks.catalogue import every_check, page
from groundcheck.grounding.checks.names import NAMES
from groundcheck.grounding.checks.registry import (
    Check,
    Registry,
    Result,
    SkipCheckError,
    explain,
    failed,
    passed,
)

PAGE = Path(__file__).parents[3] / "docs" / "checks.md"


def test_the_page_of_checks_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: python -m groundcheck.grounding.checks.catalogue docs/checks.md"


def test_names_for_who_may_not_import_torch_are_those_of_the_checks() -> None:
    of_suites = [check.id for check in every_check() if not check.id.startswith("audit/")]
    assert list(NAMES) == of_suites


def test_ids_are_distinct_and_every_check_explains_itself() -> None:
    checks = list(every_check())
    assert len({check.id for check in checks}) == len(checks) >= 35
    for check in checks:
        text = explain(check.examine)
        assert text.shows, check.id
        assert text.failure, check.id
        assert text.remedy, check.id


def raising(_: float) -> Result:
    """Breaks.

    Remedy: Mend it.
    """
    raise KeyError("lost")


def test_one_failing_check_never_stops_the_others() -> None:
    registry: Registry[float] = Registry("family")
    registry.check("breaks")(raising)
    registry.check("fails")(lambda n: failed("no", n, 0.0))
    registry.check("needs", needs=["fails"])(lambda _: passed("never"))
    registry.check("holds")(lambda n: passed("yes", n))

    def not_for_this(_: float) -> Result:
        raise SkipCheckError("only for even days")

    registry.check("skips")(not_for_this)
    started: list[str] = []
    found = list(registry.run(3.0, "task", starting=started.append))
    assert [f.check for f in found] == [
        f"family/{n}/task" for n in ("breaks", "fails", "needs", "holds", "skips")
    ]
    assert [f.status for f in found] == ["error", "fail", "skip", "pass", "skip"]
    assert found[0].reason == "KeyError: 'lost'"
    assert found[0].remedy == "Mend it."
    assert (found[1].figure, found[1].bound) == (3, 0.0)
    assert "family/fails" in found[2].reason
    assert found[4].reason == "only for even days"
    assert len(started) == 5


def test_checks_that_ran_before_are_not_run_again() -> None:
    registry: Registry[float] = Registry("family")
    registry.check("first")(raising)
    registry.check("second", needs=["first"])(lambda _: passed("ran"))
    [found] = registry.run(0, known={"family/first": "pass"})
    assert (found.check, found.status) == ("family/second", "pass")
    [found] = registry.run(0, known={"family/first": "error"})
    assert (found.check, found.status) == ("family/second", "skip")


def test_a_docstring_is_read_in_its_parts() -> None:
    text = Check("x", raising).text
    assert (text.shows, text.remedy, text.failure) == ("Breaks.", "Mend it.", "")


@pytest.mark.parametrize("status", ["inconclusive"])
def test_an_inconclusive_check_does_not_stop_those_that_need_it(status: str) -> None:
    registry: Registry[float] = Registry("f")
    registry.check("a")(lambda _: Result(status, "perhaps"))
    registry.check("b", needs=["a"])(lambda _: passed("ran"))
    assert [f.status for f in registry.run(0)] == ["inconclusive", "pass"]
