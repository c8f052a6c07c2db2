"""Counts as a reader expects them."""


def count_of(count: int, noun: str) -> str:
    """1 as "1 seed", 2 as "2 seeds"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
