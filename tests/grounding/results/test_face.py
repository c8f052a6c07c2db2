"""What a notebook shows of a report."""

from dataclasses import replace

from groundcheck.grounding.results.report import Report


def test_a_notebook_shows_the_verdicts_and_why(report: Report) -> None:
    shown = report._repr_html_()
    assert shown.count("<tr>") == 1 + len(report.tasks)
    for task in report.tasks:
        assert f"<td>{task.label}</td>" in shown
        assert f"<td>{task.judgement.verdict}</td>" in shown
    assert "<th>aligned</th>" in shown


def test_nothing_in_it_is_trusted(report: Report) -> None:
    shown = replace(report, solver="<script>alert(1)</script>")._repr_html_()
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
