"""`groundcheck cache`: what was kept of trials that ran before."""

from pathlib import Path

import typer

from ...datasets.errors import UsageError
from .shell import user_errors

cache = typer.Typer(no_args_is_help=True, help="Show or empty the cache of trials.")


@cache.command()
def info() -> None:
    """Where the cache is, and how much is in it."""
    with user_errors():
        from ..results.kept_files import MAX_BYTES, KeptFiles  # noqa: PLC0415

        folder = _folder()
        count, size = KeptFiles(folder).size()
        typer.echo(
            f"{folder}: {count:,} results, {size / 2**20:,.1f} MiB of at most {MAX_BYTES / 2**20:,.0f}"
        )


@cache.command()
def clear() -> None:
    """Delete everything in the cache."""
    with user_errors():
        from ..results.kept_files import KeptFiles  # noqa: PLC0415

        folder = _folder()
        try:
            count = KeptFiles(folder).clear()
        except OSError as error:
            raise UsageError(f"{folder} cannot be emptied: {error.strerror}") from error
        typer.echo(f"{folder}: {count:,} results deleted")


def _folder() -> Path:
    from ..results.cache import FOLDER_VARIABLE, OFF, user_folder  # noqa: PLC0415

    folder = user_folder()
    if folder is None:
        raise UsageError(f"{FOLDER_VARIABLE}={OFF} switches the cache off: name a folder, or unset it")
    return folder
