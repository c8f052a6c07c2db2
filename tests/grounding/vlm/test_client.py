"""The endpoint as it fails: back-off, time-outs, the budget, what is kept, and the key that never is."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest

from groundcheck.datasets.errors import DataUnavailableError, UsageError
from groundcheck.grounding.suite.report_io import read_report
from groundcheck.grounding.vlm.client import LONGEST_PAUSE, Client, Dialect, Failure
from groundcheck.grounding.vlm.endpoint import KEYS, Endpoint
from groundcheck.grounding.vlm.exchanges import FILE, Log
from groundcheck.grounding.vlm.responses import reply_in, retry_after, usage_in
from groundcheck.grounding.vlm.session import figures
from groundcheck.grounding.vlm.spending import Limits, Spending

ROOT = Path(__file__).parents[3]
KEY = "sk-secret-31415"


@pytest.fixture
def reader(sights, serve, twins):
    """A sound model of the quickest task, behind a server with some trouble."""
    return lambda **trouble: serve(twins["Model"](sights("mapping")), **trouble)


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / FILE).read_text().splitlines()]


def contents(server) -> Counter[str]:
    return Counter(json.dumps(body, sort_keys=True) for body in server.bodies)


def test_every_exchange_is_a_line_with_its_picture_beside_it(reader, judge, tmp_path) -> None:
    server = reader()
    judge(server, puzzles=3, run=tmp_path / "run")
    kept = lines(tmp_path / "run")
    assert len(kept) == len(server.bodies)
    assert {line["question"] for line in kept} == {"read", "answer", "symbols", "exchanged", "legend"}
    [read] = [line for line in kept if line["question"] == "read" and line["board"] == 0]
    address = read["messages"][0]["content"][0]["image_url"]["url"]
    assert (tmp_path / "run" / address).read_bytes().startswith(b"\x89PNG")
    assert json.loads(read["content"]).keys() == {"picture"}
    assert read["usage"]["prompt_tokens"] > 0
    described = json.loads((tmp_path / "run" / "run.json").read_text())["settings"]
    assert described["prompts"]["sha256"].keys() > {"read", "rules-mapping"}
    assert described["style"] == {"size": 32, "grid": 1.0, "font": "DejaVu Sans"}


def test_resume_asks_nothing_twice(reader, judge, tmp_path) -> None:
    """The budget ends a run in its midst; continued, it asks for the rest: the report is as if in one go."""
    server, whole = reader(), reader()
    first = judge(server, puzzles=4, run=tmp_path / "run", limits=Limits(9))
    assert first.replies.budget_spent
    assert len(server.bodies) == 9
    second = judge(server, puzzles=4, run=tmp_path / "run", resume=True)
    assert max(contents(server).values()) == 1
    assert second.asked + 9 == len(server.bodies)
    third = judge(server, puzzles=4, run=tmp_path / "run", resume=True)
    assert third.asked == 0
    once = judge(whole, puzzles=4)
    for found in (second, third):
        [one], [other] = found.report.tasks, once.report.tasks
        assert one.judgement == other.judgement
        assert [s.share for s in one.asked.shares] == [s.share for s in other.asked.shares]
    assert set(contents(server)) == set(contents(whole))


def test_a_picture_that_a_kill_cut_short_is_written_again(reader, judge, tmp_path) -> None:
    server, run = reader(), tmp_path / "run"
    judge(server, puzzles=2, run=run, limits=Limits(5))
    whole = {path: path.read_bytes() for path in (run / "boards").iterdir()}
    for path, content in whole.items():
        path.write_bytes(content[:100])
    (run / FILE).unlink()
    judge(server, puzzles=2, run=run, resume=True)
    assert whole.items() <= {path: path.read_bytes() for path in (run / "boards").iterdir()}.items()


def test_a_run_of_something_else_is_not_continued(reader, judge, tmp_path) -> None:
    server = reader()
    judge(server, puzzles=1, run=tmp_path / "run")
    with pytest.raises(UsageError, match="puzzles was 1 and is now 2"):
        judge(server, puzzles=2, run=tmp_path / "run", resume=True)
    with pytest.raises(UsageError, match="continue it with --resume"):
        judge(server, puzzles=1, run=tmp_path / "run")


def test_a_damaged_line_is_named(reader, judge, tmp_path) -> None:
    server = reader()
    judge(server, puzzles=1, run=tmp_path / "run")
    path = tmp_path / "run" / FILE
    path.write_text(path.read_text().replace('"question"', '"question', 1))
    with pytest.raises(UsageError, match=r"exchanges.jsonl is damaged \(line 1"):
        judge(server, puzzles=1, run=tmp_path / "run", resume=True)


def test_kill_loses_what_is_in_flight_only(reader, judge, tmp_path) -> None:
    """A real process, killed -9 while it asks: what it had written is never asked again."""
    server, run = reader(delay=0.05), tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "groundcheck.grounding",
        "judge",
        "vlm:twin",
        "--url",
        server.url,
        "--task",
        "mapping",
        "--puzzles",
        "30",
        "--run",
        str(run),
        "--size",
        "32",
        "--max-tokens",
        "600",
        "--concurrency",
        "2",
        "-q",
    ]
    around = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=around, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        until = time.monotonic() + 60
        while time.monotonic() < until and process.poll() is None:
            if (run / FILE).exists() and (run / FILE).read_bytes().count(b"\n") >= 12:
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        _, told = process.communicate()
    assert process.returncode == -signal.SIGKILL, told.decode()
    kept = (run / FILE).read_bytes().count(b"\n")
    assert kept >= 12
    with (run / FILE).open("ab") as file:
        file.write(b'{"key": "cut sho')  # as a kill in the midst of a write leaves it
    with pytest.raises(UsageError, match="go on with"):
        read_report(run)
    before = len(server.bodies)
    server.delay = 0.0
    found = judge(
        server, puzzles=30, endpoint=Endpoint(server.url, "twin", max_tokens=600), run=run, resume=True
    )
    asked = contents(server)
    assert found.recalled >= kept
    assert sum(times - 1 for times in asked.values()) <= 2  # those in flight, one for each of two at once
    assert len(server.bodies) - before == found.asked
    assert found.report.tasks[0].judgement.verdict == "GROUNDED"
    assert read_report(run).tasks[0].judgement.verdict == "GROUNDED"


@pytest.mark.parametrize(
    "trouble", [{}, {"busy_every": 2}, {"close_every": 3}], ids=["sound", "busy", "closing"]
)
def test_the_budget_in_requests_is_never_exceeded(trouble, reader, judge) -> None:
    server = reader(**trouble)
    found = judge(server, puzzles=6, limits=Limits(17))
    assert found.replies.budget_spent
    assert found.spending.requests == len(server.counts) == 17


def test_the_budget_in_tokens_is_never_exceeded(reader, judge) -> None:
    """Counted by the server itself; before the first reply the bound is high, so that nothing is risked."""
    server = reader()
    endpoint = server.endpoint(max_tokens=100)
    found = judge(server, puzzles=30, limits=Limits(None, 40_000), endpoint=endpoint)
    assert found.replies.budget_spent
    assert found.spending.tokens == server.tokens <= 40_000
    assert server.tokens > 20_000
    assert not found.spending.exceeded


def test_a_budget_that_covers_no_board_is_told_before_anything_is_sent(reader, judge) -> None:
    server = reader()
    for limits, told in (
        (Limits(3), "3 requests does not cover one board"),
        (Limits(None, 900), "lower --max-tokens"),
    ):
        with pytest.raises(UsageError, match=told):
            judge(server, limits=limits)
    assert server.bodies == []


def test_the_plan_is_told_before_anything_is_sent(reader, judge) -> None:
    server = reader()
    plans = []
    judge(server, puzzles=2, announce=lambda plan: plans.append((plan, len(server.bodies))))
    [(plan, sent)] = plans
    assert sent == 0
    assert (plan.requests, plan.limits.requests) == (10, 15)
    assert "2 boards × 5 questions: 10 requests" in plan.told
    assert "15 requests and" in plan.told


def test_as_many_requests_at_once_as_asked(reader, judge) -> None:
    server = reader(delay=0.02)
    judge(server, puzzles=12, endpoint=server.endpoint(concurrency=3))
    assert server.most_at_once == 3


def test_busy_is_asked_again_after_a_pause(reader, judge, monkeypatch) -> None:
    """Without Retry-After the pauses double; with it they are what the server says, up to a minute."""
    endpoint = Endpoint("http://127.0.0.1:1/v1", "twin", pause=0.5)
    client = Client(endpoint, Spending(), Log())
    pauses = [client.pause(attempts, Failure("busy")) for attempts in range(1, 5)]
    assert all(0.75 <= pause / (0.5 * 2**n) <= 1.25 for n, pause in enumerate(pauses))
    assert client.pause(1, Failure("busy", 7.0)) == 7.0
    assert client.pause(1, Failure("busy", 7000.0)) == LONGEST_PAUSE


def test_retry_after_is_seconds_or_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert retry_after({"retry-after": "1.5"}) == 1.5
    assert 25 < (retry_after({"retry-after": soon}) or 0) <= 30
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None


def test_slow_replies_are_given_up_and_asked_again(reader, judge) -> None:
    """Every third reply comes after the time-out: those are asked again, and nothing is lost."""
    server = reader(delay=0.6, slow_every=3)
    found = judge(server, puzzles=3, endpoint=server.endpoint(timeout=0.3))
    assert found.report.tasks[0].asked.counts["replies"] == found.asked
    assert len(server.counts) > found.asked


def test_an_endpoint_that_is_down(tmp_path, sights, judge, serve, twins) -> None:
    """Nothing listens there: one sentence, and the folder can be used once something does."""
    server, run = serve(twins["Model"](sights("mapping"))), tmp_path / "run"
    nowhere = Endpoint("http://127.0.0.1:1/v1", "twin", pause=0.001)
    with pytest.raises(
        DataUnavailableError, match=r"127.0.0.1:1/v1 does not answer \(no connection\): start"
    ):
        judge(server, endpoint=nowhere, puzzles=2, run=run)
    assert judge(server, puzzles=2, run=run).asked > 0


def test_an_endpoint_that_goes_down_in_the_midst(reader, judge, tmp_path) -> None:
    """Three questions in a row without a reply end the run; what was answered is kept."""
    server = reader()

    def end(done: int, of: int) -> None:
        server.status = 500

    with pytest.raises(DataUnavailableError, match=r"status 500.*go on with --resume"):
        judge(server, puzzles=8, run=tmp_path / "run", progress=end, endpoint=server.endpoint(concurrency=1))
    server.status = 200
    found = judge(server, puzzles=8, run=tmp_path / "run", resume=True)
    assert found.recalled >= 5
    assert not [f for f in found.report.tasks[0].findings if f.check == "unanswered"]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (401, "as GROUNDCHECK_API_KEY"),
        (403, "another key"),
        (404, "a model that it serves"),
        (418, "refuses"),
    ],
)
def test_what_no_repetition_mends_is_told_at_once(status, told, reader, judge) -> None:
    """A wrong key, an unknown model: one request, one sentence, and the key is not in it."""
    server = reader(status=status)
    key = KEY if status != 401 else None
    with pytest.raises(UsageError, match=told) as raised:
        judge(server, endpoint=server.endpoint(key=key), puzzles=2)
    assert KEY not in str(raised.value)
    assert len(server.counts) == 1


def test_an_address_that_is_no_endpoint(reader, judge) -> None:
    server = reader()
    with pytest.raises(UsageError, match="a url that ends in /v1"):
        judge(server, endpoint=Endpoint(server.url.removesuffix("/v1"), "twin"), puzzles=1)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("localhost:11434", "begins with http"),
        ("ftp://host/v1", "begins with http"),
        ("http://", "begins with http"),
        ("http://[::1/v1", "is no address"),
        ("http://127.0.0.1:99999/v1", "a port from 1 to 65535"),
        ("http://127.0.0.1:0/v1", "begins with http"),
        (f"http://me:{KEY}@host/v1", "from the environment"),
        (f"https://host/v1?key={KEY}", "from the environment"),
    ],
)
def test_an_address_that_cannot_be_meant(url, told) -> None:
    with pytest.raises(UsageError, match=told) as raised:
        Endpoint(url, "twin")
    assert KEY not in str(raised.value)
    with pytest.raises(UsageError, match="no model is named"):
        Endpoint("http://host/v1", "")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"timeout": 0.0}, "some seconds, more than 0"),
        ({"timeout": float("nan")}, "some seconds, more than 0"),
        ({"timeout": float("inf")}, "some seconds, more than 0"),
        ({"temperature": float("inf")}, "it is 0 or a number above"),
        ({"temperature": -1.0}, "it is 0 or a number above"),
        ({"key": f"{KEY}\n"}, "holds a line break"),
        ({"key": f"{KEY}é"}, "a letter that no key has"),
    ],
    ids=str,
)
def test_numbers_and_keys_that_cannot_be_meant(options, told) -> None:
    with pytest.raises(UsageError, match=told) as raised:
        Endpoint("http://host/v1", "twin", **options)
    assert KEY not in str(raised.value)


def test_a_proxy_that_cannot_be_used_is_told(reader, judge, monkeypatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://127.0.0.1:1")
    with pytest.raises(UsageError, match="the proxy that the environment names"):
        judge(reader(), endpoint=Endpoint("http://models.example/v1", "twin"), puzzles=1)


def test_a_reply_that_drips_is_given_up(reader, judge) -> None:
    """A server that sends a byte now and then answers within each read, and never in time."""
    server = reader(drip=0.1)
    with pytest.raises(DataUnavailableError, match=r"no reply within 0\.2 seconds"):
        judge(server, endpoint=server.endpoint(timeout=0.2, pause=0.001), puzzles=1)


@pytest.mark.parametrize(
    "usage",
    [{"prompt_tokens": float("inf"), "completion_tokens": 1}, {"prompt_tokens": -9, "completion_tokens": 1}],
    ids=["infinite", "negative"],
)
def test_tokens_that_nobody_can_count_are_booked_as_their_bound(usage) -> None:
    assert usage_in(httpx.Response(200, json=None, content=json.dumps({"usage": usage}))) is None


def test_a_reply_that_is_nested_without_end_is_none() -> None:
    assert reply_in(httpx.Response(200, content="[" * 200_000)) is None


def test_half_a_character_is_kept_as_a_question_mark(reader, judge, tmp_path) -> None:
    server = reader()
    sound = server.model.reply
    server.model.reply = lambda seen: f"\ud800 {sound(seen)}"
    found = judge(server, puzzles=2, run=tmp_path / "run")
    assert {line["content"][0] for line in lines(tmp_path / "run")} == {"?"}
    assert figures(found.report)["lenient"].share == 1.0


def test_a_filter_before_the_model_refuses(reader, judge) -> None:
    """Some hosts answer 400 where a filter stops a question: a refusal, and no reason to end the run."""
    server = reader(filters=2)
    counts = figures(judge(server, puzzles=4).report).counts
    assert counts["replies"] == len(server.counts)
    assert counts["refused"] > 0 == counts["without_schema"]


@pytest.mark.parametrize("name", KEYS)
def test_the_key_comes_from_the_environment_and_is_never_written(
    name, reader, judge, tmp_path, monkeypatch, capfd
) -> None:
    for other in KEYS:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, KEY)
    server = reader(key=KEY)
    server.model.reply = lambda seen: f"your key is {KEY}"  # a server that says it back
    found = judge(server, puzzles=2, run=tmp_path / "run", endpoint=server.endpoint())
    assert server.keys == {f"Bearer {KEY}"}
    found.report.write(tmp_path / "report.json")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 5
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert KEY not in repr(server.endpoint())
    assert KEY not in "".join(capfd.readouterr())


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_that_takes_no_schema_is_asked_without(status, reader, judge) -> None:
    server = reader(refuses_schema=status)
    found = judge(server, puzzles=2)
    assert [("response_format" in body) for body in server.bodies].count(True) == 1
    assert figures(found.report).counts["without_schema"] == found.asked


def test_a_field_that_a_server_does_not_know_is_renamed_or_left_out() -> None:
    dialect = Dialect()
    assert dialect.give_way("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
    assert dialect.give_way("'temperature' does not support 0")
    assert dialect.give_way("unknown field seed")
    assert dialect.tokens == "max_completion_tokens"
    assert not dialect.temperature
    assert not dialect.seed
    assert dialect.schema
    assert dialect.give_way("something else")
    assert not dialect.schema
    assert not dialect.give_way("something else")


def test_boards_that_share_a_question_ask_it_once(sights, serve, twins, judge) -> None:
    """Ten digits, thirty boards: the textual question is asked once for each digit."""
    server = serve(twins["Model"](sights("mapping")))
    found = judge(server, puzzles=30)
    assert max(contents(server).values()) == 1
    asked = figures(found.report)
    assert asked["symbols"].of == 30
    assert asked.counts["replies"] == len(server.bodies) < 150


def test_samples_need_a_temperature(reader, judge) -> None:
    with pytest.raises(UsageError, match="every sample would be the same"):
        judge(reader(), samples=2)


def test_a_proxy_is_not_asked_for_a_server_of_this_machine(reader, judge, monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert judge(reader(), puzzles=1).asked == 5 - 1  # no other board, whose picture could take its place
    assert not Endpoint("https://models.example/v1", "twin").local
    assert Endpoint("http://localhost:8000/v1", "twin").local


def test_a_notebook_whose_loop_runs_already(reader, judge) -> None:
    async def cell() -> int:
        return judge(reader(), puzzles=1).asked

    assert asyncio.run(cell()) == 4
