"""The public face of groundcheck: `check` a solver, read its `Report`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .gate.pytest_checks import parametrize_with_checks
    from .results.report import Report
    from .suite.suite import Listener, check

__all__ = ["Listener", "Report", "check", "parametrize_with_checks"]


def __getattr__(name: str) -> Any:
    """Imports on first use: the command line must answer `--help` without waiting for torch."""
    if name == "Report":
        from .results.report import Report  # noqa: PLC0415

        return Report
    if name == "parametrize_with_checks":
        from .gate.pytest_checks import parametrize_with_checks  # noqa: PLC0415

        return parametrize_with_checks
    if name in __all__:
        from .suite import suite  # noqa: PLC0415

        return getattr(suite, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
