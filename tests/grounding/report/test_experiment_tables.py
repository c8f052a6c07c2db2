"""An experiment for other programs: LaTeX, Parquet, JSON, and figures as files."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import pytest

from groundcheck.datasets.errors import UnusableFileError
from groundcheck.grounding.report.experiment_plots import COLUMN, PAGE, export_experiment, figures_of
from groundcheck.grounding.report.experiment_tables import (
    typed,
    write_csv,
    write_latex,
    write_parquet,
    write_results,
)
from groundcheck.grounding.report.latex import MAX_ROWS, escape, latex_table
from groundcheck.grounding.results.cells import cell_results
from groundcheck.grounding.results.experiment import ExperimentRecord
from groundcheck.grounding.results.report import Report
from groundcheck.grounding.results.tidy import tidy
from groundcheck.solvers.extras import MissingExtraError

from ..sweeps import sweep

LATEX = next(filter(None, map(shutil.which, ("pdflatex", "lualatex", "xelatex", "tectonic"))), None)


@pytest.fixture(scope="module")
def record(mlp_report: Report) -> ExperimentRecord:
    return sweep(mlp_report)


def body(table: str) -> list[list[str]]:
    """The rows between the heading and the end of a table, with the columns of all its parts."""
    long = "\\endfoot\n" in table
    begin, end = ("\\endfoot\n", "\\end{longtable}") if long else ("\\midrule\n", "\\bottomrule")
    parts = [part.partition(end)[0] for part in table.split(begin)[1:]]
    return joined([[cells(line) for line in part.splitlines()] for part in parts])


def cells(line: str) -> list[str]:
    assert line.endswith(r" \\")
    return [cell.strip() for cell in line.removesuffix(r" \\").split(" & ")]


def joined(parts: list[list[list[str]]]) -> list[list[str]]:
    """Rows of parts side by side; the two axes stand in each."""
    first, *others = parts
    assert all([row[:2] for row in part] == [row[:2] for row in first] for part in others)
    return [
        [*row, *(cell for part in others for cell in part[number][2:])] for number, row in enumerate(first)
    ]


def test_latex_has_a_row_per_cell_with_means_intervals_and_published_figures(
    record: ExperimentRecord,
) -> None:
    table = latex_table(record)
    rows = body(table)
    [names] = joined([[cells(line)] for line in re.findall(r"\\toprule\n(.*)\n\\midrule", table)])
    assert names == ["solver", "lr", "verdict", "seeds", "task acc.", "raw", "aligned", "published"]
    columns = re.findall(r"\\begin\{tabular\}\{@\{\}(\w+)@\{\}\}", table)
    assert sum(map(len, columns)) == len(names) + 2 * (len(columns) - 1)
    assert [len(row) for row in rows] == [len(names)] * 4
    for row, result in zip(rows, cell_results(record), strict=True):
        found = result.estimate("task")
        assert found
        assert found.interval
        low, high = found.interval
        assert row[4] == rf"{found.mean:.3f} {{\footnotesize [{low:.3f}, {high:.3f}]}}"
        assert row[2] == result.verdict
    assert [row[-1] for row in rows] == [r"task acc. 0.987\textsuperscript{a}"] * 2 + [""] * 2
    assert r"\textsuperscript{a}Somebody 2019, Table 2; on 9,000 puzzles" in table
    assert "seed interval (95 \\%" in table
    assert "width 8" in table  # what is equal stands in the caption
    balanced(table)


def balanced(table: str) -> None:
    """Braces and environments are closed in the order in which they were opened."""
    plain = re.sub(r"\\[{}%]", "", table)
    assert plain.count("{") == plain.count("}")
    stack: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", table):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert stack == []


def test_latex_without_published_figures_has_no_column_for_them(record: ExperimentRecord) -> None:
    table = latex_table(replace(record, published=[], reports={}))
    assert "published" not in table
    assert "4 of 4 not decided yet." in table
    assert {row[2] for row in body(table)} == {"not decided yet"}


def test_a_long_table_goes_over_several_pages(record: ExperimentRecord) -> None:
    [first, *_] = record.cells
    cells = [
        replace(first, number=number, varied={**first.varied, "lr": number}) for number in range(MAX_ROWS + 1)
    ]
    table = latex_table(replace(record, cells=cells, reports={}, trials=[]))
    assert r"\begin{longtable}" in table
    assert len(body(table)) == MAX_ROWS + 1
    balanced(table)


def test_nothing_of_a_name_is_a_command() -> None:
    assert escape("a_b & 50% $x$ #1 {y} ~^\\") == (
        r"a\_b \& 50\% \$x\$ \#1 \{y\} \textasciitilde{}\textasciicircum{}\textbackslash{}"
    )
    assert escape("two\nlines\\end{table}") == r"two lines\textbackslash{}end\{table\}"


@pytest.mark.skipif(LATEX is None, reason="no LaTeX is installed")
def test_latex_compiles(tmp_path: Path, record: ExperimentRecord) -> None:
    wider = [replace(c, varied={**c.varied, "perception": "convnext-tiny"}) for c in record.cells]
    axes = {**record.axes, "perception": ["convnext-tiny", "lenet"]}
    named = replace(record, name="a_b & 50% $x$ #1 {y} ~^\\ <|>", cells=wider, axes=axes)
    (tmp_path / "table.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs,longtable}\\usepackage[T1]{fontenc}\n"
        f"\\begin{{document}}\n{latex_table(named)}\\end{{document}}\n"
    )
    assert LATEX is not None
    flags = [] if "tectonic" in LATEX else ["-interaction=nonstopmode", "-halt-on-error"]
    done = subprocess.run([LATEX, *flags, "table.tex"], cwd=tmp_path, capture_output=True, check=False)
    told = done.stdout.decode(errors="replace")
    assert done.returncode == 0, told[-2000:]
    assert "Overfull" not in told  # a page is wide enough for three axes


def test_parquet_has_the_rows_of_the_csv_in_types(tmp_path: Path, record: ExperimentRecord) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    path = tmp_path / "results.parquet"
    write_parquet(path, record)
    table = parquet.read_table(path)
    assert table.column_names == tidy(record).columns
    kinds = {name: str(table.schema.field(name).type) for name in table.column_names}
    assert (kinds["seed"], kinds["figure.task"], kinds["cached"]) == ("int64", "double", "bool")
    assert (kinds["varied.lr"], kinds["solver"], kinds["error"]) == ("double", "string", "string")
    assert table["figure.task"].to_pylist() == tidy(record).column("figure.task")


def test_parquet_without_pyarrow_names_the_extra(
    tmp_path: Path, record: ExperimentRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'groundcheck\[parquet\]'"):
        write_parquet(tmp_path / "results.parquet", record)
    assert not (tmp_path / "results.parquet").exists()


def test_columns_of_mixed_values_have_one_type() -> None:
    assert typed([1, None, 2]) == ("int", [1, None, 2])
    assert typed([1, 0.5]) == ("float", [1.0, 0.5])
    assert typed([True, None]) == ("bool", [True, None])
    assert typed([True, 1]) == ("text", ["True", "1"])
    assert typed([1, "a", None]) == ("text", ["1", "a", None])
    assert typed([None]) == ("text", [None])
    assert typed([2**70]) == ("float", [float(2**70)])


def test_json_has_cells_and_trials(tmp_path: Path, record: ExperimentRecord) -> None:
    path = tmp_path / "results.json"
    write_results(path, record)
    told = json.loads(path.read_text())
    assert len(told["trials"]) == len(tidy(record).rows)
    assert [cell["varied"] for cell in told["cells"]][1] == {"solver": "mlp", "lr": 0.01}
    assert told["cells"][0]["published"][0]["source"] == "Somebody 2019, Table 2"
    assert told["cells"][2]["published"] == []
    found = cell_results(record)[0].estimate("task")
    assert found
    assert told["cells"][0]["figures"]["task"]["mean"] == found.mean


@pytest.mark.parametrize("write", [write_csv, write_latex, write_results, write_parquet])
def test_what_cannot_be_written_is_told(tmp_path: Path, record: ExperimentRecord, write: object) -> None:
    assert callable(write)
    if write is write_parquet:
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    with pytest.raises(UnusableFileError, match=r"missing.* cannot be written: No such file"):
        write(tmp_path / "missing" / "file", record)


def test_figures_fit_a_column(record: ExperimentRecord) -> None:
    names: list[str] = []
    for name, figure in figures_of(record):
        names.append(name)
        width, height = figure.get_size_inches()
        assert width in (COLUMN, PAGE) or COLUMN < width < PAGE
        assert name == "parallel" or width == COLUMN
        assert height < 5
    assert names == [
        "verdicts", "heat-solver-lr-task", "heat-solver-lr-aligned", "curve-solver-task",
        "curve-solver-aligned", "curve-lr-task", "curve-lr-aligned", "learning-task", "learning-aligned",
        "parallel",
    ]  # fmt: skip


def test_figures_are_written_in_each_format_and_again_the_same(
    tmp_path: Path, record: ExperimentRecord
) -> None:
    for kind in ("pdf", "svg", "png"):
        first = export_experiment(record, tmp_path / kind, kind)
        assert len(first) == 10
        before = [path.read_bytes() for path in first]
        if kind != "png":
            assert before == [path.read_bytes() for path in export_experiment(record, tmp_path / kind, kind)]
    assert (tmp_path / "pdf" / "verdicts.pdf").read_bytes().startswith(b"%PDF")
    assert record.reports[0].judgement.verdict.split()[0] in (tmp_path / "svg" / "verdicts.svg").read_text()
    height, width = matplotlib.image.imread(tmp_path / "png" / "heat-solver-lr-task.png").shape[:2]
    assert width > height > 50
    with pytest.raises(UnusableFileError, match="cannot be made"):
        export_experiment(record, tmp_path / "svg" / "verdicts.svg", "svg")


def test_names_in_figures_are_no_formulas_and_are_never_passed_over(
    tmp_path: Path, record: ExperimentRecord
) -> None:
    renamed = {"mlp": "$\\frac", "rival": "_hidden " + "long " * 20}
    cells = [
        replace(c, solver=renamed[c.solver], varied={**c.varied, "solver": renamed[c.solver]})
        for c in record.cells
    ]
    odd = replace(record, cells=cells, axes={**record.axes, "solver": list(renamed.values())})
    drawn = {path.stem: path.read_text() for path in export_experiment(odd, tmp_path, "svg")}
    for name in ("verdicts", "heat-solver-lr-task", "curve-solver-task", "curve-lr-task", "parallel"):
        assert "$\\frac" in drawn[name]
        assert "_hidden" in drawn[name]


def test_an_experiment_without_trials_has_its_grid(tmp_path: Path, record: ExperimentRecord) -> None:
    written = export_experiment(replace(record, trials=[], reports={}), tmp_path, "svg")
    assert [path.name for path in written] == ["verdicts.svg"]
