"""A model that reads and answers, and twins that are broken on purpose: each gets the verdict it deserves."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from groundcheck.datasets.errors import DataUnavailableError
from groundcheck.datasets.images import load_images
from groundcheck.grounding.report.html import render_report
from groundcheck.grounding.results.report import Report
from groundcheck.grounding.vlm.boards import Style, board_png
from groundcheck.grounding.vlm.session import Judged, figures

BOARDS = 8


@pytest.fixture(scope="session")
def judged(sights, serve, judge, twins, know_by_heart) -> Callable[..., Judged]:
    """What comes of asking a twin about 4×4 Sudoku; asked once where nothing else is said of the server."""
    known: dict[str, Judged] = {}

    def of(twin: str, **options: Any) -> Judged:
        if not options and twin in known:
            return known[twin]
        found = ask(twin, **options)
        return found if options else known.setdefault(twin, found)

    def ask(twin: str, **options: Any) -> Judged:
        sight = sights("sudoku")
        model = twins[twin](sight)
        if twin == "ByHash":
            model.answers = know_by_heart(sight.task, BOARDS)
        return judge(serve(model, **options), puzzles=BOARDS)

    return of


WHY = {
    "Model": ("GROUNDED", "it reads, and answers what follows from it"),
    "ByPrior": ("NOT REASONING", "it reads as well, and its answer is the same on every board"),
    "ByHash": ("SHORTCUT", "every answer is right, and it reads nonsense: answers come from the file"),
    "ByTranscript": ("NOT REASONING", "it reads and knows the rules, but a picture alone it cannot answer"),
    "TranscriptFirst": ("GROUNDED", "its answers come from what it has read, by way of its own words"),
    "Misreading": ("UNGROUNDED", "its answers follow from its readings, which are wrong"),
    "Swapping": (
        "UNGROUNDED",
        "it was told the names of the symbols, and reads two of them under the other's",
    ),
    "OnlyDigits": ("GROUNDED", "it reads digits and answers; that it knows nothing else is a finding beside"),
    "Chatty": ("GROUNDED", "what it wraps its JSON in says nothing of what it reads"),
    "Malformed": ("ERROR", "nothing of what it sends can be understood, so nothing is known of its reading"),
    "Refusing": ("ERROR", "it declines, so nothing is known of its reading"),
    "Mute": (
        "ERROR",
        "it answers right, but no wrong reading is known of it that would make that a shortcut",
    ),
    "Endless": ("ERROR", "it reads, but its answers are cut off: whether it reasons is not known"),
    "Stammering": ("GROUNDED", "readings that cannot be understood are no wrong readings"),
}
FAILS = {  # checks beside the verdict that do not pass
    "ByPrior": {"symbols", "consistent"},  # with no right answer, nothing is left to be followed or lost
    "ByHash": {"symbols"},
    "ByTranscript": {"consistent"},
    "OnlyDigits": {"legend"},
    "Stammering": {"format"},
}


@pytest.mark.parametrize("twin", WHY)
def test_each_gets_the_verdict_it_deserves(twin: str, judged) -> None:
    verdict, why = WHY[twin]
    report = judged(twin).report
    [task] = report.tasks
    assert task.judgement.verdict == verdict, f"{why}; {task.judgement.reason}"
    assert report.exit_code == (0 if verdict == "GROUNDED" and not FAILS.get(twin) else 1)
    failing = {f.check for f in task.findings if f.status == "fail" and f.check != "grounding"}
    assert failing == FAILS.get(twin, set())


def test_a_reader_by_file_is_told_by_its_misread_boards(judged) -> None:
    """Answers where the reading is wrong tell a shortcut; (e) cannot: the other picture is a file as well."""
    asked = figures(judged("ByHash").report)
    assert asked["answered"].share == 1.0
    assert asked["allowed"].share == 0.0
    assert (asked["answered_misread"].share, asked["answered_misread"].of) == (1.0, BOARDS)


def test_the_picture_is_exchanged_under_a_kept_transcript(judged) -> None:
    """(e) tells what an answer follows: the picture, its own transcript, or neither."""
    followed = {
        twin: [
            figures(judged(twin).report)[f"follows_{name}"].share
            for name in ("picture", "transcript", "neither")
        ]
        for twin in ("Model", "TranscriptFirst", "ByTranscript", "ByPrior")
    }
    assert followed == {
        "Model": [1.0, 0.0, 0.0],
        "TranscriptFirst": [0.0, 1.0, 0.0],
        "ByTranscript": [0.0, 1.0, 0.0],
        "ByPrior": [0.0, 0.0, 1.0],
    }


def test_both_rates_of_parsing_are_told(judged) -> None:
    """Replies in a fence are understood, and none fits the schema: scores are of what is understood."""
    asked = figures(judged("Chatty").report)
    assert (asked["strict"].share, asked["lenient"].share) == (0.0, 1.0)
    assert (asked["answered_strictly"].share, asked["answered"].share) == (0.0, 1.0)


def test_refused_and_truncated_replies_are_counted(judged) -> None:
    refused = figures(judged("Refusing").report).counts
    assert refused["refused"] == refused["replies"] > 0
    cut = judged("Malformed", finish="length").report
    assert figures(cut).counts["truncated"] == figures(cut).counts["replies"] > 0
    assert (
        "0 of 8 replies to 'read' can be understood, too few to say what it reads: 0 refused, 8 cut off"
        in cut.tasks[0].judgement.reason
    )


@pytest.mark.parametrize(
    "trouble",
    [{"busy_every": 3}, {"close_every": 4}, {"refuses_schema": 400}, {"delay": 0.02}, {"usage": False}],
    ids=lambda trouble: next(iter(trouble)),
)
def test_what_a_server_does_is_no_fault_of_the_model(trouble: dict[str, Any], judged) -> None:
    """429 at every third request, broken connections, no schema, slow, no usage: asked again, GROUNDED."""
    found = judged("Model", **trouble)
    assert found.report.tasks[0].judgement.verdict == "GROUNDED"
    assert figures(found.report).counts["replies"] == 5 * BOARDS
    assert (found.spending.requests > 5 * BOARDS) == (
        next(iter(trouble)) in ("busy_every", "close_every", "refuses_schema")
    )


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        ({"close_every": 1}, "broke off"),
        ({"delay": 0.3}, "no reply within 0.05 seconds"),
        ({"status": 503}, "503"),
    ],
)
def test_a_server_that_never_answers_is_told_in_a_sentence(
    trouble, told, sights, serve, judge, twins
) -> None:
    """Nothing is known of the model, so there is no verdict: the exit code says that data is missing."""
    server = serve(twins["Model"](sights("sudoku")), **trouble)
    endpoint = server.endpoint(timeout=0.05, pause=0.001)
    with pytest.raises(DataUnavailableError, match=told) as raised:
        judge(server, endpoint=endpoint, puzzles=2)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("task", "settings"),
    [("mapping", {}), ("addition", {"digits": 2}), ("latin", {"size": 4}), ("futoshiki", {"size": 4})],
)
def test_every_task_is_read_and_answered(task, settings, sights, serve, judge, twins) -> None:
    found = judge(serve(twins["Model"](sights(task, **settings))), puzzles=7)
    [described] = found.report.tasks
    assert described.judgement.verdict == "GROUNDED", described.judgement.reason
    assert {f.status for f in described.findings} <= {"pass"}


def test_nine_by_nine(sights, serve, judge, twins) -> None:
    """36 givens: a reader that errs once in fifty pictures answers what its reading allows, no more."""
    found = judge(serve(twins["Model"](sights("sudoku", size=9))), puzzles=3)
    asked = figures(found.report)
    assert asked["consistent"].share == 1.0
    assert asked["answered"].share == asked["allowed"].share
    assert asked["symbols"].share == 1.0
    assert found.report.tasks[0].judgement.verdict in ("GROUNDED", "INCONCLUSIVE")


@pytest.mark.parametrize("legend", ["digits", "letters"])
def test_printed_givens(legend: str, sights, serve, judge, twins) -> None:
    """Printed boards have no images to be drawn anew; other digits stand for the usual ones."""
    found = judge(serve(twins["Model"](sights("sudoku"))), puzzles=3, images="printed", legend=legend)
    assert found.report.images == "printed in DejaVu Sans"
    assert figures(found.report)["answered"].of == 3
    assert found.report.tasks[0].findings[0].check == "grounding"


def test_samples_are_seeds(judged, sights, serve, judge, twins) -> None:
    """Two samples: two trials of every role, twice the requests, each sample with a seed of its own."""
    server = serve(twins["Model"](sights("sudoku")))
    found = judge(server, puzzles=2, samples=2, endpoint=server.endpoint(temperature=0.7))
    [task] = found.report.tasks
    assert [(o.role, o.seed) for o in task.outcomes] == [
        (role, seed) for seed in (0, 1) for role in ("grounding", "ceiling", "reasoning")
    ]
    assert {body["seed"] for body in server.bodies} == {0, 1}
    assert {body["temperature"] for body in server.bodies} == {0.7}
    assert (task.judgement.seeds, len(server.bodies)) == (2, 20)


def test_the_report_is_read_again_and_drawn(judged, tmp_path) -> None:
    found = judged("Model").report
    found.write(tmp_path / "report.json")
    again = Report.read(tmp_path / "report.json")
    assert again.as_dict() == json.loads((tmp_path / "report.json").read_text())
    assert figures(again)["answered"].share == 1.0
    page = render_report(found, None)
    assert "answered from the true symbols as text" in page
    assert 'data-label="95 % interval"' in page


def test_the_page_of_a_model_speaks_of_no_training(judged) -> None:
    """It was asked: nothing was trained, and there is no perception apart from it."""
    page = render_report(judged("Model").report, None)
    shown = re.sub(r"<(style|script|svg).*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)
    assert re.findall(r"[^.]{0,40}\b(?:train\w*|perception|labels|lenet|solver)\b[^.]{0,40}", shown) == []


def test_the_reader_really_reads(sights) -> None:
    """The fixture itself: it errs on some test digits, as any reader does, and on no empty cell."""
    sight = sights("sudoku", size=9)
    puzzles = sight.task.generate("test", 3, 5)
    right, count = 0, 0
    for row in range(3):
        png = board_png(sight.task, puzzles, row, load_images("digits").test, Style(size=32))
        read = sight.read(png, tuple("123456789"))
        given = puzzles.given[row]
        assert (read[~given] == -1).all()
        right += int((read[given] == puzzles.solution[row][given]).sum())
        count += int(given.sum())
    assert right / count >= 0.95
    assert count > 90
