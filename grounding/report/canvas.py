"""What plots are drawn on: one size, one palette, as SVG in a page and as a file of its own.

No word of a user is drawn: names of solvers and tasks stand beside a plot, never in it.
"""

import io
import re
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...datasets.errors import UnusableFileError

Format = Literal["svg", "pdf", "png"]
FORMATS: tuple[Format, ...] = get_args(Format)
DPI = 200  # of a PNG

# Okabe & Ito 2008, *Color universal design*: told apart by the colour-blind. The second of each pair is for
# dark pages, and letters are darker or lighter than areas so that they can be read.
BLUE, ORANGE, GREY = "#0072b2", "#c65102", "#767f88"
TEAL, OLIVE, PLUM, MAROON = "#00664a", "#805800", "#8c3d6a", "#a03c00"
DARK = {
    BLUE: "#56b4e9", ORANGE: "#ffa04d", GREY: "#98a1ab",
    TEAL: "#3fd0a4", OLIVE: "#f0b93a", PLUM: "#e8a4cb", MAROON: "#ff9a5c",
}  # fmt: skip
INK = "#000000"  # replaced by the page's own text colour
STYLE: Any = {  # matplotlib's own type of keys is a literal of hundreds
    "svg.fonttype": "none",
    "svg.hashsalt": "groundcheck",
    "pdf.fonttype": 42,  # letters stay letters
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_drawn = re.compile(r'(\bid="|href="#|url\(#)')


@contextmanager
def canvas(width: int | float = 3.7, height: int | float = 3.2) -> Generator[tuple[Figure, Axes]]:
    """One plot, in inches; those of a page have the same size, so that they line up."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.subplots()


def legend_above(axes: Axes) -> None:
    """A legend above the plot, where it hides nothing."""
    handles, _ = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=4, frameon=False, fontsize=7.5,
            borderaxespad=0.2, handlelength=1.3, handletextpad=0.45, columnspacing=0.9,
        )  # fmt: skip


def embedded(figure: Figure) -> str:
    """The <svg> element alone, scalable, in the text colour of the page that it is put into.

    Its ids are prefixed with a digest of the drawing: two plots in one page must not share any.
    """
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    for light, dark in DARK.items():
        text = text.replace(light, f"light-dark({light}, {dark})")
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    prefix = f"p{zlib.crc32(text.encode()):x}-"
    text = _drawn.sub(rf"\g<1>{prefix}", text)
    return re.sub(
        r'width="[\d.]+pt" height="[\d.]+pt"', 'aria-hidden="true" focusable="false"', text, count=1
    )


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as a file of its own, on white; its ending says as what (`FORMATS`).

    Raises:
        UnusableFileError: Where the file cannot be written.
    """
    dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[path.suffix[1:].lower()]
    try:
        with mpl.rc_context(STYLE):
            figure.savefig(path, dpi=DPI, facecolor="white", metadata=dated)
    except OSError as error:
        raise UnusableFileError(f"{path} cannot be written: {error.strerror}") from error
