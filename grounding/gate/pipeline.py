"""A gate as pipelines read it: JUnit XML, Markdown for a job's summary, JSON."""

import html
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree as ET

from ..measures.figures import Place, figures_at
from ..report.table import title
from .gate import Case, Gated

SCHEMA = 1
# What XML 1.0 has no place for: control characters of a traceback or of a terminal's colours.
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MARKS = {"pass": "✅", "fail": "❌", "error": "💥", "skip": "➖", "inconclusive": "❔", "expected": "☑️"}


def junit(gated: Sequence[Gated]) -> str:
    """JUnit XML, one suite per solver; an expected failure counts as skipped, as pytest writes it."""
    root = ET.Element("testsuites", name="groundcheck")
    for one in gated:
        results = [case.result for case in one.cases]
        suite = ET.SubElement(
            root,
            "testsuite",
            name=_xml(f"groundcheck.{one.report.solver}"),
            tests=str(len(results)),
            failures=str(results.count("fail")),
            errors=str(results.count("error")),
            skipped=str(sum(result in ("skip", "inconclusive", "expected") for result in results)),
            time=f"{sum(case.seconds for case in one.cases):.3f}",
        )
        for case in one.cases:
            element = ET.SubElement(
                suite,
                "testcase",
                classname=_xml(f"groundcheck.{one.report.solver}"),
                name=_xml(case.id),
                time=f"{case.seconds:.3f}",
            )
            if case.result != "pass":
                kind = {"fail": "failure", "error": "error"}.get(case.result, "skipped")
                message = ET.SubElement(element, kind, message=_xml(case.message), type=case.result)
                message.text = _xml(case.message)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def markdown(gated: Sequence[Gated]) -> str:
    """A summary: the verdicts as a table, then every case that did not pass."""
    lines, shown = ["## groundcheck", ""], figures_at(Place.RANKING)
    lines += [
        f"| | solver | task | {' | '.join(figure.heading for figure in shown)} | seeds | verdict |",
        f"|---|---|---|{'---:|' * len(shown)}---:|---|",
    ]
    for one in gated:
        for task in one.report.tasks:
            verdicts = {c.task: c.result for c in one.cases if c.check == "verdict"}
            mark = MARKS[verdicts[task.label]] if task.label in verdicts else ""
            judged = task.judgement
            cells = [
                mark,
                _text(one.report.solver),
                _text(title(task)),
                *(figure.text(task.mean(task.subject, figure)) for figure in shown),
                f"{judged.grounded} of {judged.seeds}",
                judged.verdict,
            ]
            lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    for one in gated:
        lines.append(f"**{_text(one.report.solver)}**: {_text(one.summary)}. Exit code {one.exit_code}.")
        lines += [
            f"- {MARKS[case.result]} {_text(case.id)}: {_text(case.message)}"
            for case in one.cases
            if case.result not in ("pass", "skip")
        ]
        lines.append("")
    return "\n".join(lines)


def record(gated: Sequence[Gated], exit_code: int) -> dict[str, Any]:
    """For JSON: the decision, its cases, and the whole report of each solver."""
    return {
        "schema": SCHEMA,
        "exit_code": exit_code,
        "solvers": [
            {
                "solver": one.report.solver,
                "exit_code": one.exit_code,
                "cases": [_case(case) for case in one.cases],
                "report": one.report.as_dict(),
            }
            for one in gated
        ],
    }


def _case(case: Case) -> dict[str, Any]:
    return {"id": case.id, **asdict(case)}


def _xml(text: str) -> str:
    return NO_XML.sub("�", text)


def _text(text: str) -> str:
    """Plain text in one line of Markdown: neither HTML nor a link, a table or a mention comes of it."""
    line = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]()#+!|~@$])", r"\\\1", line)
