"""An experiment as a table for a paper: booktabs, means with intervals, published figures in a column."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from ..measures.figures import ACROSS_SEEDS, FIGURE, Figure, Place, figures_at
from ..results.cells import CellResult, cell_results, value_on
from ..results.comparison import Estimate
from ..results.experiment import ExperimentRecord, Published
from ..results.terms import told
from .experiment_data import axes_of
from .experiment_page import common_of

TEXT_WIDTH = 345.0  # pt, of LaTeX's article; a table that is wider is told in parts
GAP = 12.0  # pt, between columns
LETTER, CAPITAL = 4.7, 6.9  # pt, about, of a letter or digit in small print
MAX_ROWS = 40  # of a table on one page; a longer one goes over several
_ESCAPED = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}", "–": "--", "…": r"\ldots{}",
    "−": "$-$", "×": r"$\times$", "±": r"$\pm$",
}  # fmt: skip


def escape(text: str) -> str:
    """A text as LaTeX prints it: none of its characters is a command, and it stays on its line."""
    return "".join(_ESCAPED.get(character, character) for character in " ".join(text.split()))


def latex_table(record: ExperimentRecord) -> str:
    """A row per cell: what varies, verdict, seeds, and every figure of the verdicts.

    Published figures stand in the last column, each with a letter for its source, which is told below. Where
    a page is too narrow for all columns, further ones stand in a second table below, beside the same axes.
    """
    results = cell_results(record)
    axes = [axis.name for axis in axes_of(record)]
    shown = [f for f in figures_at(Place.VERDICTS) if any(result.values(f) for result in results)]
    sources = _sources(results)
    headings = [*axes, "verdict", "seeds", *(figure.heading for figure in shown)]
    headings += ["published"] if sources else []
    rows = [_row(result, axes, shown, sources) for result in results]
    columns = "l" * (len(axes) + 1) + "r" * (1 + len(shown)) + ("l" if sources else "")
    parts = [
        _Part("".join(columns[n] for n in part), [[row[n] for n in part] for row in [heading, *rows]])
        for heading in [[escape(name) for name in headings]]
        for part in _parts([heading, *rows], len(axes))
    ]
    return _laid_out(parts, _caption(record, results, axes), _notes(sources))


@dataclass(frozen=True)
class _Part:
    """Columns of a table that fit on a page beside each other, with their alignment; first the heading."""

    columns: str
    rows: Sequence[Sequence[str]]

    @property
    def head(self) -> list[str]:
        return [r"\toprule", _line(self.rows[0]), r"\midrule"]

    @property
    def body(self) -> list[str]:
        return [_line(row) for row in self.rows[1:]]


def _line(row: Sequence[str]) -> str:
    return " & ".join(row) + r" \\"


def _parts(rows: Sequence[Sequence[str]], axes: int) -> list[list[int]]:
    """The numbers of the columns of each part: those of the axes, and as many others as fit on a page."""
    widths = [max(_width(row[number]) for row in rows) for number in range(len(rows[0]))]
    first = list(range(axes))
    parts: list[list[int]] = [[]]
    for number in range(axes, len(widths)):
        if parts[-1] and sum(widths[n] for n in [*first, *parts[-1], number]) - GAP > TEXT_WIDTH:
            parts.append([])
        parts[-1].append(number)
    return [[*first, *part] for part in parts]


def _width(cell: str) -> float:
    """About how wide a cell is printed, in pt, with the gap to the next."""
    printed = re.sub(r"\\[a-z]+\s?|[\\{}]", "", cell)
    return GAP + sum(CAPITAL if letter.isupper() else LETTER for letter in printed)


def _laid_out(parts: Sequence[_Part], caption: str, notes: Sequence[str]) -> str:
    below = [rf"{note} \\" for note in notes]
    lines: list[str] = []
    if len(parts[0].rows) <= MAX_ROWS + 1:
        for part in parts:
            lines += [r"\par\medskip"] if lines else []
            lines += [
                rf"\begin{{tabular}}{{@{{}}{part.columns}@{{}}}}", *part.head, *part.body,
                r"\bottomrule", r"\end{tabular}",
            ]  # fmt: skip
        lines = [
            r"% \usepackage{booktabs}", r"% \usepackage[T1]{fontenc}",
            r"\begin{table}", r"\centering\small", rf"\caption{{{caption}}}", *lines,
            *([r"\par\smallskip\footnotesize\raggedright", *below] if below else []), r"\end{table}",
        ]  # fmt: skip
    else:
        for part in parts:
            lines += [
                rf"\begin{{longtable}}{{@{{}}{part.columns}@{{}}}}",
                *([] if lines else [rf"\caption{{{caption}}} \\"]),
                *part.head, r"\endfirsthead", *part.head, r"\endhead",
                r"\bottomrule", r"\endfoot", *part.body, r"\end{longtable}",
            ]  # fmt: skip
        lines = [
            r"% \usepackage{booktabs,longtable}", r"% \usepackage[T1]{fontenc}", r"{\small", *lines,
            *([r"{\footnotesize\raggedright", *below, r"\par}"] if below else []), "}",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _row(
    result: CellResult, axes: Sequence[str], shown: Sequence[Figure], sources: dict[tuple[str, str], str]
) -> list[str]:
    cells = [escape(told(value_on(result.cell, axis))) for axis in axes]
    cells += [escape(result.verdict), escape(result.seeds)]
    cells += [_estimate(figure, result.estimate(figure)) for figure in shown]
    if sources:
        cells.append(", ".join(_published(one, sources) for one in result.published))
    return cells


def _estimate(figure: Figure, estimate: Estimate | None) -> str:
    if estimate is None:
        return "--"
    mean = figure.text(estimate.mean)
    if estimate.interval is None:
        return mean
    low, high = map(figure.text, estimate.interval)
    return rf"{mean} {{\footnotesize [{low}, {high}]}}"


def _published(one: Published, sources: dict[tuple[str, str], str]) -> str:
    heading = FIGURE[one.figure].heading if one.figure in FIGURE else one.figure
    return rf"{escape(heading)} {one.value:.3f}\textsuperscript{{{sources[one.source, one.note]}}}"


def _sources(results: Sequence[CellResult]) -> dict[tuple[str, str], str]:
    """A letter for each source of published figures; beyond z, numbers."""
    found = dict.fromkeys((p.source, p.note) for result in results for p in result.published)
    return {
        source: ascii_lowercase[number] if number < len(ascii_lowercase) else str(number + 1)
        for number, source in enumerate(found)
    }


def _notes(sources: dict[tuple[str, str], str]) -> list[str]:
    return [
        rf"\textsuperscript{{{letter}}}{escape(source)}{f'; {escape(note)}' if note else ''}"
        for (source, note), letter in sources.items()
    ]


def _caption(record: ExperimentRecord, results: Sequence[CellResult], axes: Sequence[str]) -> str:
    common = ", ".join(f"{name} {value}" for name, value in common_of(record.cells, axes))
    missing = sum(not result.decided for result in results)
    parts = [
        f"{record.name}: verdicts, seeds grounded, and means over seeds, in brackets their "
        f"{ACROSS_SEEDS.name} (95 %, {ACROSS_SEEDS.over})."
    ]
    parts += [f"In all rows: {common}."] if common else []
    parts += [f"{missing} of {len(results)} not decided yet."] if missing else []
    return escape(" ".join(parts))
