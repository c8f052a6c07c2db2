"""`groundcheck report`: the page of a run, and its figures as files."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ...datasets.errors import UsageError
from .shell import DataRoot, consoles, user_errors, writable


class Kind(StrEnum):
    """What figures are written as."""

    SVG = "svg"
    PDF = "pdf"
    PNG = "png"


def report(
    run: Annotated[Path, typer.Argument(help="The folder of a run, or the JSON of a report.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="By default report.html beside it.")
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write every figure there as a file of its own, and no page."),
    ] = None,
    kind: Annotated[Kind | None, typer.Option("--format", help="Of these files; by default SVG.")] = None,
    data_root: DataRoot = None,
) -> None:
    """Write the report of a run as one self-contained HTML page, or its figures for a paper."""
    with user_errors():
        if not run.exists():
            raise UsageError(f"{run} does not exist: name the folder of a run, or the JSON of a report")
        if kind is not None and figures is None:
            raise UsageError("--format is of the figures: name their folder with --figures FOLDER")
        if figures is not None and figures.exists() and not figures.is_dir():
            raise UsageError(f"--figures {figures} is a file: name a folder")
        page = None
        if output is not None or figures is None:
            page = writable(output or (run / "report.html" if run.is_dir() else run.with_suffix(".html")))
        from ...datasets.image_source import ImageSource  # noqa: PLC0415
        from ..report.export import export_figures  # noqa: PLC0415
        from ..report.html import write_page  # noqa: PLC0415
        from ..suite.report_io import read_report  # noqa: PLC0415

        found = read_report(run)
        source = ImageSource(found.images, data_root)
        console = consoles()[0]
        if page is not None:
            write_page(page, found, source)
            console.print(str(page), highlight=False, markup=False, soft_wrap=True)
        if figures is not None:
            written = export_figures(found, figures, source, kind=(kind or Kind.SVG).value)
            if not written:
                raise UsageError(f"{run} has nothing to draw: no trial of it was scored")
            for path in written:
                console.print(str(path), highlight=False, markup=False, soft_wrap=True)
