"""`groundcheck results`: an experiment as tables, a page and figures."""

from pathlib import Path
from typing import Annotated

import typer

from .report import Kind
from .shell import consoles, user_errors, writable


def results(
    folder: Annotated[Path, typer.Argument(help="The folder of an experiment; it may still run.")],
    csv: Annotated[bool, typer.Option("--csv", help="results.csv: a row per trial and cell.")] = False,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="results.parquet: the same (extra: parquet).")
    ] = False,
    latex: Annotated[bool, typer.Option("--latex", help="results.tex: a row per cell, booktabs.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="results.json: cells with their means, and all trials.")
    ] = False,
    figures: Annotated[
        Kind | None, typer.Option(help="The figures of the page, one file each, in figures/.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FOLDER", help="Where files go; by default beside the trials."
        ),
    ] = None,
) -> None:
    """Show what an experiment found: its page, and on request tables and figures for a paper."""
    with user_errors():
        from ..report.experiment_page import write_experiment_page  # noqa: PLC0415
        from ..report.experiment_plots import export_experiment  # noqa: PLC0415
        from ..report.experiment_tables import WRITERS  # noqa: PLC0415
        from ..report.grid import print_grid  # noqa: PLC0415
        from ..results.experiment_reading import read_experiment  # noqa: PLC0415

        record = read_experiment(folder)
        target = made_folder(output or folder)
        asked = {"csv": csv, "parquet": parquet, "tex": latex, "json": json}
        paths = [target / f"results.{kind}" for kind, wanted in asked.items() if wanted]
        for path in (target / "results.html", *paths):
            writable(path)
        for path in paths:
            WRITERS[path.suffix[1:]](path, record)
        write_experiment_page(target / "results.html", record)
        written = [] if figures is None else export_experiment(record, target / "figures", figures.value)
        console = consoles()[0]
        print_grid(record, console)
        for name, path in (("page", target / "results.html"), *(("table", path) for path in paths)):
            console.print(f"{name}: {path}", highlight=False, markup=False, soft_wrap=True)
        if written:
            told = f"figures: {len(written)} in {target / 'figures'}"
            console.print(told, highlight=False, markup=False, soft_wrap=True)


def made_folder(path: Path) -> Path:
    """A folder, made where it is missing. Raises `UnusableFileError` where it cannot be."""
    from ...datasets.errors import UnusableFileError  # noqa: PLC0415

    if path.exists() and not path.is_dir():
        raise UnusableFileError(f"{path} is a file: name a folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableFileError(f"the folder {path} cannot be made: {error.strerror}") from error
    return path
