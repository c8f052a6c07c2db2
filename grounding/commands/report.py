"""`groundcheck report`: the page of a run."""

from pathlib import Path
from typing import Annotated

import typer

from ...datasets.errors import UsageError
from .shell import DataRoot, consoles, user_errors, writable


def report(
    run: Annotated[Path, typer.Argument(help="The folder of a run, or the JSON of a report.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="By default report.html beside it.")
    ] = None,
    data_root: DataRoot = None,
) -> None:
    """Write the report of a run as one self-contained HTML page."""
    with user_errors():
        if not run.exists():
            raise UsageError(f"{run} does not exist: name the folder of a run, or the JSON of a report")
        path = writable(output or (run / "report.html" if run.is_dir() else run.with_suffix(".html")))
        from ...datasets.image_source import ImageSource  # noqa: PLC0415
        from ..report.html import write_page  # noqa: PLC0415
        from ..suite.report_io import read_report  # noqa: PLC0415

        assert path is not None
        found = read_report(run)
        write_page(path, found, ImageSource(found.images, data_root, classes=tuple(found.classes)))
        consoles()[0].print(str(path), highlight=False, markup=False, soft_wrap=True)
