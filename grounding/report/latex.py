"""An experiment as a table for a paper: booktabs, means with intervals, published figures in a column."""

from collections.abc import Sequence
from string import ascii_lowercase

from ..measures.figures import ACROSS_SEEDS, FIGURE, Figure, Place, figures_at
from ..results.cells import CellResult, cell_results, value_on
from ..results.comparison import Estimate
from ..results.experiment import ExperimentRecord, Published
from ..results.terms import told
from .experiment_data import axes_of
from .experiment_page import common_of

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

    Published figures stand in the last column, each with a letter for its source, which is told below.
    """
    results = cell_results(record)
    axes = [axis.name for axis in axes_of(record)]
    shown = [f for f in figures_at(Place.VERDICTS) if any(result.values(f) for result in results)]
    sources = _sources(results)
    headings = [*axes, "verdict", "seeds", *(figure.heading for figure in shown)]
    headings += ["published"] if sources else []
    rows = [_row(result, axes, shown, sources) for result in results]
    columns = "l" * (len(axes) + 1) + "r" * (1 + len(shown)) + ("l" if sources else "")
    return _laid_out(headings, rows, columns, _caption(record, results, axes), _notes(sources))


def _laid_out(
    headings: Sequence[str], rows: Sequence[Sequence[str]], columns: str, caption: str, notes: Sequence[str]
) -> str:
    head = " & ".join(escape(name) for name in headings) + r" \\"
    body = [" & ".join(row) + r" \\" for row in rows]
    below = [rf"{note} \\" for note in notes]
    if len(rows) <= MAX_ROWS:
        lines = [
            r"% \usepackage{booktabs}", r"% \usepackage[T1]{fontenc}",
            r"\begin{table}", r"\centering\small", rf"\caption{{{caption}}}",
            rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}", r"\toprule", head, r"\midrule", *body,
            r"\bottomrule", r"\end{tabular}",
            *([r"\par\smallskip\footnotesize\raggedright", *below] if below else []), r"\end{table}",
        ]  # fmt: skip
    else:
        lines = [
            r"% \usepackage{booktabs,longtable}", r"% \usepackage[T1]{fontenc}", r"{\small",
            rf"\begin{{longtable}}{{@{{}}{columns}@{{}}}}", rf"\caption{{{caption}}} \\",
            r"\toprule", head, r"\midrule", r"\endfirsthead", r"\toprule", head, r"\midrule", r"\endhead",
            r"\bottomrule", r"\endfoot", *body, r"\end{longtable}",
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
