"""The budget: what it says, and that it is never exceeded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundcheck.datasets.errors import UsageError
from groundcheck.grounding.vlm.spending import (
    BudgetSpentError,
    Limits,
    Spending,
    parse_limits,
    picture_patches,
)


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("400 requests", Limits(400, None)),
        ("1 request", Limits(1, None)),
        ("2M tokens", Limits(None, 2_000_000)),
        ("300requests, 50k tokens", Limits(300, 50_000)),
    ],
)
def test_limits(text, limits) -> None:
    assert parse_limits(text) == limits


@pytest.mark.parametrize(
    "text", ["", "400", "-3 requests", "0 tokens", "1.5M tokens", "4 dollars", "4 requests;"]
)
def test_limits_that_cannot_be_meant(text) -> None:
    with pytest.raises(UsageError, match="say for instance"):
        parse_limits(text)


def test_limits_are_told() -> None:
    assert Limits(1200, 5_000_000).told == "1,200 requests and 5,000,000 tokens"
    assert Limits().told == "no limit"


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 400), st.booleans()), max_size=60))
def test_what_stays_within_its_reserve_never_exceeds_the_budget(attempts) -> None:
    """Whatever is sent, uses what it was allowed or less, or fails."""
    spending = Spending(Limits(20, 2000))
    for reserved, used, fails in attempts:
        try:
            spending.reserve(reserved)
        except BudgetSpentError:
            continue
        part = min(used, reserved)
        spending.settle(
            reserved, None if fails else {"prompt_tokens": part, "completion_tokens": 0}, "read", 10
        )
        assert spending.requests <= 20
        assert spending.tokens + spending.reserved <= 2000
    assert spending.reserved == 0
    assert not spending.exceeded


def test_a_prompt_is_bounded_by_what_such_a_question_took() -> None:
    spending = Spending()
    first = spending.bound("read", 800, picture_patches(280, 140))
    assert first == 800 + 4096 + 64  # small pictures may be scaled up
    assert spending.bound("symbols", 800, 0) == 800 + 64
    spending.reserve(first)
    spending.settle(first, {"prompt_tokens": 500, "completion_tokens": 30}, "read", 800)
    assert spending.bound("read", 820, 200) == 500 + 20 + 64
    assert spending.bound("answer", 800, 200) == first


def test_a_large_picture_is_bounded_by_its_patches() -> None:
    assert picture_patches(1400, 1400) == 10_000
    assert Spending().bound("read", 0, picture_patches(1400, 1400)) == 10_064


def test_what_failed_counts_as_used_unless_it_cannot_have_been() -> None:
    spending = Spending()
    spending.reserve(100)
    spending.settle(100, None)
    spending.reserve(100)
    spending.settle(100, {})
    assert (spending.tokens, spending.requests, spending.reserved) == (100, 2, 0)


def test_a_server_that_uses_more_than_it_may_is_noticed() -> None:
    spending = Spending(Limits(None, 100))
    spending.reserve(90)
    spending.settle(90, {"prompt_tokens": 60, "completion_tokens": 70}, "read", 1)
    assert spending.exceeded
