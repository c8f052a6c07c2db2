"""One OpenAI-compatible endpoint: requests with back-off, time-outs and a key that stays in the environment."""

import asyncio
import email.utils
import ipaddress
import json
import os
import random
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from ...datasets.errors import DataUnavailableError, UsageError
from ...solvers.extras import Extra
from .exchanges import Exchange, Log, key_of, without_picture
from .questions import Question, response_format
from .spending import BudgetSpentError, Spending, picture_patches

HTTPX = Extra("httpx", "httpx", "vlm")
KEYS = ("GROUNDCHECK_API_KEY", "OPENAI_API_KEY")  # in this order
ATTEMPTS = 6
LONGEST_PAUSE = 60.0  # seconds, whatever Retry-After says
BUSY = (408, 409, 425, 429)
DOWN_AFTER = 3  # questions in a row without a reply, and an endpoint counts as down


@dataclass(frozen=True)
class Endpoint:
    """A model behind an address.

    Args:
        url: Up to and with /v1.
        model: As the server calls it.
        temperature: Of its answers.
        max_tokens: The most tokens of one reply.
        timeout: Seconds that a reply may take.
        concurrency: Requests under way at once.
        pause: Seconds before the first repetition; doubled with each further one.
        key: Of the server; by default from the environment. It is in no record and no message.

    Raises:
        UsageError: For an address that is none, or that holds a key.
    """

    url: str
    model: str
    temperature: float = 0.0
    max_tokens: int = 2048
    timeout: float = 120.0
    concurrency: int = 4
    pause: float = 0.5
    key: str | None = field(default_factory=lambda: key_from_environment(), repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"url {self.url!r}: it begins with http:// or https:// and ends in /v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise UsageError(
                f"the url of {parts.hostname} holds more than an address: a key is taken from the environment "
                f"({' or '.join(KEYS)})"
            )
        if not self.model:
            raise UsageError("no model is named: say vlm:MODEL, as the server calls it")

    @property
    def local(self) -> bool:
        """Whether it is on this machine, where no proxy leads to."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


def key_from_environment() -> str | None:
    """The first of the variables that is set."""
    return next((os.environ[name] for name in KEYS if os.environ.get(name)), None)


@dataclass
class _Dialect:
    """What the server understands of a request beyond its messages; found out by what it refuses."""

    schema: bool = True
    tokens: str = "max_tokens"
    temperature: bool = True
    seed: bool = True

    def give_way(self, complaint: str) -> bool:
        """Leaves out what a complaint names, the schema first of all; False where nothing is left."""
        told = complaint.casefold()
        if "max_completion_tokens" in told and self.tokens == "max_tokens":
            self.tokens = "max_completion_tokens"
        elif "temperature" in told and self.temperature:
            self.temperature = False
        elif "seed" in told and self.seed:
            self.seed = False
        elif self.schema:
            self.schema = False
        else:
            return False
        return True


@dataclass(frozen=True)
class _Failure:
    """Why an attempt brought nothing."""

    sentence: str
    retry_after: float | None = None
    used: bool = True  # whether the server may have spent tokens on it


class Client:
    """Asks an endpoint questions: each once, as long as it answers and the budget lasts.

    Args:
        endpoint: The model.
        spending: The budget.
        log: Where exchanges are kept, and recalled from.
    """

    def __init__(self, endpoint: Endpoint, spending: Spending, log: Log) -> None:
        self.endpoint, self.spending, self.log = endpoint, spending, log
        self.asked = self.recalled = 0
        self._dialect = _Dialect()
        self._first = True
        self._under_way: dict[str, asyncio.Lock] = {}
        self._lost_in_a_row = 0
        self._httpx = HTTPX.load()
        self._http: Any = None

    async def __aenter__(self) -> "Client":
        heads = {"Authorization": f"Bearer {self.endpoint.key}"} if self.endpoint.key else {}
        self._http = self._httpx.AsyncClient(
            base_url=self.endpoint.url.rstrip("/"),
            headers=heads,
            timeout=self.endpoint.timeout,
            trust_env=not self.endpoint.local,
            limits=self._httpx.Limits(max_connections=self.endpoint.concurrency),
        )
        self._alone = asyncio.Lock()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def ask(self, question: Question, board: int, sample: int) -> Exchange:
        """The reply to a question, from the log where it was asked before.

        The first question goes alone: it tells whether the endpoint is there, and what it understands.

        Raises:
            BudgetSpentError: Where the budget does not cover it.
            DataUnavailableError: Where the endpoint is down.
            UsageError: Where it refuses the request: a wrong key, an unknown model.
        """
        request = {
            "model": self.endpoint.model,
            "messages": question.messages,
            "temperature": self.endpoint.temperature,
            "max_tokens": self.endpoint.max_tokens,
            "seed": sample,
            "response_format": response_format(question.fields, question.name),
        }
        key = key_of(request)
        async with self._under_way.setdefault(key, asyncio.Lock()):  # boards may share a question word by word
            if known := self.log.recall(key):
                self.recalled += 1
                return known
            if self._first:
                async with self._alone:
                    if self._first:
                        exchange = await self._exchange(key, request, question, board, sample)
                        self._first = False
                        return exchange
            return await self._exchange(key, request, question, board, sample)

    async def _exchange(
        self, key: str, request: dict[str, Any], question: Question, board: int, sample: int
    ) -> Exchange:
        started, attempts, failure = time.monotonic(), 0, _Failure("")
        reply: dict[str, Any] | None = None
        while reply is None and attempts < ATTEMPTS:
            if attempts:
                await asyncio.sleep(self._pause(attempts, failure))
            attempts += 1
            try:
                got = await self._attempt(request, question)
            except BudgetSpentError:
                if attempts == 1:
                    raise
                break
            if isinstance(got, _Failure):
                failure = got
            else:
                reply = got
        self.asked += 1
        exchange = Exchange(
            key=key,
            question=question.name,
            board=board,
            sample=sample,
            messages=without_picture(question.messages, question.picture),
            seconds=round(time.monotonic() - started, 3),
            attempts=attempts,
            schema=self._dialect.schema,
            error=failure.sentence if reply is None else "",
            **(reply or {}),
        )
        self.log.keep(exchange, question.picture)
        self._watch(exchange)
        return exchange

    def _watch(self, exchange: Exchange) -> None:
        """Ends a run whose endpoint is down. Raises `DataUnavailableError`."""
        self._lost_in_a_row = self._lost_in_a_row + 1 if exchange.error else 0
        if exchange.error and (self._first or self._lost_in_a_row >= max(DOWN_AFTER, self.endpoint.concurrency)):
            if self._first:
                advice = "start the model server, or name another --url"
            else:
                advice = "what was answered before is kept where --run names a folder: go on with --resume"
            raise DataUnavailableError(f"{self.endpoint.url} does not answer ({exchange.error}): {advice}")

    def _pause(self, attempts: int, failure: _Failure) -> float:
        """Seconds to wait: what the server asks for, else twice as long each time, spread at random."""
        if failure.retry_after is not None:
            return min(failure.retry_after, LONGEST_PAUSE)
        return min(self.endpoint.pause * 2 ** (attempts - 1) * random.uniform(0.75, 1.25), LONGEST_PAUSE)

    async def _attempt(self, request: dict[str, Any], question: Question) -> dict[str, Any] | _Failure:
        """One request, or several where the server has to be told less than it does not understand."""
        text_bytes = _text_bytes(question.messages)
        patches = picture_patches(*_png_size(question.picture)) if question.picture else 0
        while True:
            tokens = self.spending.bound(question.name, text_bytes, patches) + self.endpoint.max_tokens
            self.spending.reserve(tokens)
            got: Any = None
            usage: Mapping[str, int] | None = None
            try:
                got = await self._send(request)
                if isinstance(got, _Failure):
                    usage = None if got.used else {}
                elif got.status_code != 200:
                    usage = {}
                else:
                    usage = _usage(got)
            finally:
                self.spending.settle(tokens, usage, question.name, text_bytes)
            if isinstance(got, _Failure):
                return got
            if got.status_code == 400 and self._dialect.give_way(got.text):
                continue
            return self._understood(got)

    async def _send(self, request: dict[str, Any]) -> Any:
        dialect = self._dialect
        body = {"model": request["model"], "messages": request["messages"]}
        body[dialect.tokens] = request["max_tokens"]
        for name in ("temperature", "seed"):
            if getattr(dialect, name):
                body[name] = request[name]
        if dialect.schema:
            body["response_format"] = request["response_format"]
        try:
            return await self._http.post("/chat/completions", json=body)
        except self._httpx.ConnectTimeout:
            return _Failure("no connection within the time-out", used=False)
        except self._httpx.TimeoutException:
            return _Failure(f"no reply within {self.endpoint.timeout:g} seconds")
        except self._httpx.ConnectError as error:
            refused = "connection refused" if "refused" in str(error).casefold() or not str(error) else ""
            return _Failure(refused or f"no connection: {error}", used=False)
        except self._httpx.TransportError as error:
            return _Failure(f"the connection broke off: {type(error).__name__}")

    def _understood(self, response: Any) -> dict[str, Any] | _Failure:
        """The reply in a response. Raises `UsageError` for what no repetition mends."""
        status, url = response.status_code, self.endpoint.url
        if status in BUSY or status >= 500:
            return _Failure(f"status {status}", _retry_after(response.headers), used=False)
        complaint = _complaint(response.text, self.endpoint.key)
        if status in (401, 403):
            set_ = "another key" if self.endpoint.key else "a key"
            raise UsageError(f"{url} answers {status}: put {set_} for it into the environment as {KEYS[0]}")
        if status == 404:
            raise UsageError(
                f"{url} answers 404 for the model {self.endpoint.model!r}{complaint}: name a model that it serves, "
                "and a url that ends in /v1"
            )
        if status != 200:
            raise UsageError(f"{url} refuses the request with status {status}{complaint}")
        reply = _reply(response)
        if reply is None:
            if self._first:
                raise UsageError(
                    f"{url} answers, but not as an OpenAI-compatible endpoint does{complaint}: does it end in /v1?"
                )
            return _Failure("a reply that is no chat completion")
        if self.endpoint.key:  # a server may say it back
            reply["content"] = reply["content"].replace(self.endpoint.key, "…")
        return reply


def _reply(response: Any) -> dict[str, Any] | None:
    """Fields of an `Exchange`; None for what is no chat completion."""
    try:
        found = response.json()
        choice = found["choices"][0]
        message = choice["message"]
        content = message.get("content")
        finish = str(choice.get("finish_reason") or "")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None
    if isinstance(content, list):  # in parts
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    refusal = message.get("refusal")
    return {
        "content": str(refusal or "") if content is None else str(content),
        "finish": finish,
        "refusal": bool(refusal) or finish == "content_filter",
        "usage": dict(_usage(response) or {}),
    }


def _usage(response: Any) -> dict[str, int] | None:
    """Tokens that the server counted; None where it does not say."""
    try:
        usage = response.json()["usage"]
        return {name: int(usage[name]) for name in ("prompt_tokens", "completion_tokens")}
    except (ValueError, KeyError, TypeError):
        return None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait, given as such or as a date."""
    told = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(told))
    except ValueError:
        pass
    try:
        until = email.utils.parsedate_to_datetime(told)
    except ValueError:
        return None
    zone = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (zone - datetime.now(UTC)).total_seconds())


def _complaint(text: str, key: str | None) -> str:
    """What a server says of a request that it refuses, in one line and without the key."""
    try:
        found = json.loads(text)
        found = found.get("error", found)
        told = found.get("message", text) if isinstance(found, dict) else found
    except (ValueError, AttributeError):
        told = text
    line = " ".join(str(told).split())[:200]
    if key:
        line = line.replace(key, "…")
    return f" ({line})" if line else ""


def _text_bytes(messages: list[dict[str, Any]]) -> int:
    """Bytes of all texts of a conversation: no tokeniser makes more tokens of them."""
    count = 0
    for message in messages:
        parts = message["content"]
        texts = [parts] if isinstance(parts, str) else [part.get("text", "") for part in parts]
        count += sum(len(text.encode()) for text in texts)
    return count


def _png_size(picture: bytes) -> tuple[int, int]:
    """Width and height of a PNG, which stand in its first chunk."""
    width, height = struct.unpack(">II", picture[16:24])
    return width, height
