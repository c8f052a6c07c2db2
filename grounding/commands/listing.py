"""`groundcheck list`: what there is to check, and on what."""

from .shell import consoles, user_errors


def list_() -> None:
    """List tasks, solvers and image sets, each with one line and its source."""
    with user_errors():
        from ..report.listing import print_listing  # noqa: PLC0415

        print_listing(consoles()[0])
