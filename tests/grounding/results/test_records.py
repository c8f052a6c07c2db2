"""Records: read as they were written, older ones too; damaged ones refused where they are damaged."""

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest

from groundcheck.datasets.futoshiki import Futoshiki
from groundcheck.datasets.task import Setting
from groundcheck.grounding.checks.finding import Finding
from groundcheck.grounding.measures.interventions import Intervention, Interventions
from groundcheck.grounding.measures.metrics import Scores
from groundcheck.grounding.results.files import plain, write_json
from groundcheck.grounding.results.records import RecordError, decode_record
from groundcheck.grounding.results.report import Report
from groundcheck.grounding.trials.trial import Outcome

SCORES = Scores(1.0, 1.0, 1.0, 0.0, 1.0, 3, intervals={"task": (0.4, 1.0)})
THREE = Interventions(0.9, 0.1, *(Intervention(10, n, 8, 7) for n in (1, 2, 3)))
OUTCOME = Outcome("grounding", "mapping", "mlp", 0, SCORES, interventions=THREE)


@pytest.mark.parametrize(
    "record",
    [
        SCORES,
        THREE,
        OUTCOME,
        replace(OUTCOME, scores=None, error="broke", interventions=None),
        Finding("a/b", "pass", "so", "do", figure=0.5, bound=1.0, interval=(0.4, 0.6)),
        Finding("a/b", "skip", "so"),
    ],
)
def test_a_record_is_read_as_it_was_written(record: Any) -> None:
    assert decode_record(json.dumps(plain(record)).encode(), type(record)) == record


def test_records_of_before_lack_what_came_later() -> None:
    before: Any = plain(OUTCOME)
    for name in ("intervals", "images", "calibration", "boards"):
        del before["scores"][name]
    for name in ("shuffle", "permute", "corrupt"):
        before["interventions"][name] = {"puzzles": 10, "kept": 1}
    read = decode_record(json.dumps(before).encode(), Outcome)
    assert read.scores == replace(SCORES, intervals={})
    assert read.interventions
    assert read.interventions.permute == Intervention(10, 1, 0, 0)


def test_a_whole_report_comes_back(report: Report, tmp_path: Path) -> None:
    report.write(tmp_path / "report.json")
    assert Report.read(tmp_path / "report.json") == report
    record = json.loads((tmp_path / "report.json").read_bytes())
    names = [field.name for field in fields(Report)]
    assert list(record) == [*names, "exit_code", "summary"]
    assert (record["exit_code"], record["summary"]) == (report.exit_code, report.summary)


@pytest.mark.parametrize(
    ("find", "replacement", "line", "message"),
    [
        (
            '"raw": ',
            '"raw": "much", "was": ',
            0,
            r"tasks\[0\]\.outcomes\[0\]\.scores\.raw: Expected .float . null",
        ),
        ('"verdict": "', '"verdict": "FINE', 0, r"tasks\[0\]\.judgement\.verdict: Invalid enum value .FINE"),
        ('"tasks": [', '"tasks": [3,', 0, r"tasks\[0\]: Expected .object., got .int."),
        ('"seed": ', '"sead": ', -3, r"tasks\[0\]\.outcomes\[0\]: .* missing required field .seed"),
        ('"schema": ', '"schema": "one", "was": ', 0, "schema: Expected"),
        ('"relabelling": [', '"relabelling": [}', 0, "Expecting value"),
    ],
)
def test_a_damaged_report_is_refused_by_line_and_path(
    report: Report, tmp_path: Path, find: str, replacement: str, line: int, message: str
) -> None:
    path = tmp_path / "report.json"
    report.write(path)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(find, replacement, 1), encoding="utf-8")
    found = text.count("\n", 0, text.index(find)) + 1
    place = {0: f"line {found}"}.get(line, rf"line {found + line - 1}")
    with pytest.raises(ValueError, match=rf"report\.json is damaged, .*{place}, .*{message}") as refused:
        Report.read(path)
    assert "\n" not in str(refused.value)


def test_a_damaged_report_inside_what_a_gate_wrote_is_told_by_the_line_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "gate.json"
    write_json(path, {"schema": 1, "solvers": [{"solver": "mlp", "report": {"schema": 1, "solver": 3}}]})
    lines = path.read_text(encoding="utf-8").splitlines()
    number = next(n for n, line in enumerate(lines, 1) if '"solver": 3' in line)
    with pytest.raises(ValueError, match=f"line {number}, solver: Expected `str`"):
        Report.read(path)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"[" * 100_000, b'{"a": NaN}', b'{"a": 1', b"3"])
def test_what_is_no_json_or_no_record_is_one_error(content: bytes) -> None:
    with pytest.raises(RecordError):
        decode_record(content, Finding)


def test_text_that_utf8_cannot_hold_is_written_escaped(tmp_path: Path) -> None:
    finding = Finding("a/b", "fail", "half \udc80 of a pair, é 数 \x00 </script>")
    write_json(tmp_path / "f.json", finding)
    read = decode_record((tmp_path / "f.json").read_bytes(), Finding)
    assert read.reason == "half \\udc80 of a pair, é 数 \x00 </script>"


@dataclass(frozen=True)
class Kept:
    settings: dict[str, Setting]


def test_settings_are_those_of_the_task_again() -> None:
    """Sequences as tuples; a whole number stays whole: the key of a trial is made of them."""
    task = Futoshiki(givens=(3, 5))
    read = decode_record(json.dumps({"settings": plain(task.settings)}).encode(), Kept).settings
    assert read == task.settings
    assert Futoshiki(**read) == task
    deep = decode_record(b'{"settings": {"a": [[1, [2]], {"b": 1.5}], "whole": 1}}', Kept).settings
    assert deep == {"a": ((1, [2]), {"b": 1.5}), "whole": 1}
    assert type(deep["whole"]) is int
