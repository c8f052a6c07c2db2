"""When a run was made, and how long it took, in words."""

import pytest

from groundcheck.grounding.report.dates import day, duration, period

from .made import outcome

MORNING, NOON, NEXT = "2026-11-27T09:05:10+00:00", "2026-11-27T12:00:00+00:00", "2026-11-28T00:10:00+01:00"


@pytest.mark.parametrize(
    ("started", "ended", "told"),
    [
        (MORNING, NOON, "27 November 2026, 09:05 to 12:00 UTC"),
        (MORNING, "2026-11-29T12:00:00", "27 November 2026, 09:05 to 29 November 2026, 12:00 UTC"),
        (MORNING, "2026-11-27T09:05:50+00:00", "27 November 2026, 09:05 UTC"),
        ("", NOON, "27 November 2026, 12:00 UTC"),
        (NOON, NEXT, "27 November 2026, 12:00 to 23:10 UTC"),
        ("", "", ""),
        ("</script>", "yesterday", ""),
    ],
)
def test_period_names_the_day_and_the_hours(started: str, ended: str, told: str) -> None:
    assert period(started, ended, []) == told


def test_period_tells_what_trials_took() -> None:
    trials = [outcome("grounding", seed, 0.5, 0.5) for seed in range(3)]
    assert period("", "", trials) == "3 trials took 1 min 30 s together"
    assert period("", NOON, trials[:1]) == "27 November 2026, 12:00 UTC; 1 trial took 30 s"


def test_durations() -> None:
    told = [duration(seconds) for seconds in (0.2, 9.4, 75, 11_100, 4_000_000)]
    assert told == ["less than a second", "9 s", "1 min 15 s", "3 h 5 min", "1,111 h 6 min"]


def test_the_day_of_what_is_no_date_is_not_told() -> None:
    assert day(NOON) == "27 November 2026"
    assert day("<b>") == day("") == ""
