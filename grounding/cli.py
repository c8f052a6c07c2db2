"""The command line: registers the commands, nothing else; none imports anything heavy before it is needed."""

import io
import os
import sys
from typing import Annotated

import typer

from .. import __version__
from .commands.audit import audit
from .commands.cache import cache
from .commands.check import check
from .commands.compare import compare
from .commands.diagnose import diagnose
from .commands.experiment import experiment
from .commands.gate import gate
from .commands.judge import judge
from .commands.leaderboard import leaderboard
from .commands.listing import list_
from .commands.remedy import remedy
from .commands.report import report
from .commands.results import results
from .commands.rules import rules
from .commands.run import run
from .commands.sets import certify, generate
from .commands.show import show
from .commands.show_run import show_run
from .trials.printed import claim_process

CLOSED_PIPE = 141  # 128 + SIGPIPE: what a shell says of any program whose reader went away, as in `| head`

app = typer.Typer(
    name="groundcheck",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool | None) -> None:
    if asked:
        typer.echo(f"groundcheck {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool | None,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it and end."),
    ] = None,
) -> None:
    """Tests whether differentiable symbolic solvers really ground their symbols."""
    del version


for command in (
    check,
    diagnose,
    remedy,
    experiment,
    judge,
    run,
    rules,
    show,
    gate,
    report,
    compare,
    audit,
    leaderboard,
    generate,
    certify,
):
    app.command()(command)
app.command()(results)
app.command("show-run")(show_run)
app.command("list")(list_)
app.add_typer(cache, name="cache")


def main() -> None:
    """Entry point of the command `groundcheck`."""
    # Spinning OpenMP threads make everything many times slower where cores are shared; this must be set
    # before torch starts them.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):  # a code page may lack a character that a report holds
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.path.insert(0, "")  # solvers named module:attribute are found in the working directory
    claim_process()
    written_to = _output()
    try:
        app(prog_name="groundcheck")
    except SystemExit:
        if _output() != written_to:
            raise SystemExit(CLOSED_PIPE) from None
        raise


def _output() -> tuple[object, ...]:
    """Where results go. Once nobody reads, typer puts the stream aside, and rich redirects its descriptor."""
    try:
        behind = os.fstat(1)
    except OSError:  # it was closed from the start
        return (id(sys.stdout),)
    return id(sys.stdout), behind.st_dev, behind.st_ino
