"""Asks an OpenAI-compatible endpoint: once each, with back-off and time-outs, as far as the budget goes."""

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...datasets.errors import DataUnavailableError, UsageError
from ...solvers.extras import Extra
from .endpoint import KEYS, Endpoint
from .exchanges import Exchange, Log, key_of, without_picture
from .questions import Question, response_format
from .responses import complaint_in, refusal_in, reply_in, retry_after, usage_in
from .spending import BudgetSpentError, Spending

HTTPX = Extra("httpx", "httpx", "vlm")
ATTEMPTS = 6
ATTEMPTS_TO_REACH = 2  # where nothing has listened yet
LONGEST_PAUSE = 60.0  # seconds, whatever Retry-After says
BUSY = (408, 409, 425, 429)
NOT_UNDERSTOOD = (400, 422)
WHOLE = 1.1  # time-outs that a whole reply may take; httpx limits each piece that comes in
DOWN_AFTER = 3  # questions in a row without a reply, and an endpoint counts as down


@dataclass
class Dialect:
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
class Failure:
    """Why an attempt brought nothing."""

    sentence: str
    retry_after: float | None = None
    used: bool = True  # whether the server may have spent tokens on it
    reached: bool = True  # whether anything listened


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
        self._dialect = Dialect()
        self._first = True
        self._under_way: dict[str, asyncio.Lock] = {}
        self._lost_in_a_row = 0
        self._httpx = HTTPX.load()
        self._http: Any = None

    async def __aenter__(self) -> "Client":
        heads = {"Authorization": f"Bearer {self.endpoint.key}"} if self.endpoint.key else {}
        try:
            self._http = self._httpx.AsyncClient(
                base_url=self.endpoint.url.rstrip("/"),
                headers=heads,
                timeout=self.endpoint.timeout,
                trust_env=not self.endpoint.local,
                verify=self.endpoint.url.startswith("https"),  # else no certificates are loaded in vain
                limits=self._httpx.Limits(max_connections=self.endpoint.concurrency),
            )
        except (ImportError, ValueError, self._httpx.InvalidURL) as error:
            raise UsageError(
                f"{self.endpoint.url} cannot be asked ({error}): see the address, and the proxy that the "
                "environment names"
            ) from error
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
        async with self._under_way.setdefault(
            key, asyncio.Lock()
        ):  # boards may share a question word by word
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
        started, attempts, failure = time.monotonic(), 0, Failure("")
        reply: dict[str, Any] | None = None
        while reply is None and attempts < (
            ATTEMPTS if failure.reached or not self._first else ATTEMPTS_TO_REACH
        ):
            if attempts:
                await asyncio.sleep(self.pause(attempts, failure))
            attempts += 1
            try:
                got = await self._attempt(request, question)
            except BudgetSpentError:
                if attempts == 1:
                    raise
                break
            if isinstance(got, Failure):
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
        if exchange.error and (
            self._first or self._lost_in_a_row >= max(DOWN_AFTER, self.endpoint.concurrency)
        ):
            if self._first:
                advice = "start the model server, or name another --url"
            else:
                advice = "what was answered before is kept where --run names a folder: go on with --resume"
            raise DataUnavailableError(f"{self.endpoint.url} does not answer ({exchange.error}): {advice}")

    def pause(self, attempts: int, failure: Failure) -> float:
        """Seconds to wait: what the server asks for, else twice as long each time, spread at random."""
        if failure.retry_after is not None:
            return min(failure.retry_after, LONGEST_PAUSE)
        return min(self.endpoint.pause * 2 ** (attempts - 1) * random.uniform(0.75, 1.25), LONGEST_PAUSE)

    async def _attempt(self, request: dict[str, Any], question: Question) -> dict[str, Any] | Failure:
        """One request, or several where the server has to be told less than it does not understand."""
        text_bytes = question.text_bytes
        while True:
            prompt = self.spending.bound(question.name, text_bytes, question.patches)
            tokens = prompt + self.endpoint.max_tokens
            self.spending.reserve(tokens)
            got: Any = None
            usage: Mapping[str, int] | None = None
            try:
                got = await self._send(request)
                if isinstance(got, Failure):
                    usage = None if got.used else {}
                elif got.status_code != 200:
                    usage = {}
                else:
                    usage = usage_in(got)
            finally:
                self.spending.settle(tokens, usage, question.name, text_bytes)
            if isinstance(got, Failure):
                return got
            if got.status_code in NOT_UNDERSTOOD:
                if refused := refusal_in(got.text):
                    return refused
                if self._dialect.give_way(got.text):
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
            async with asyncio.timeout(WHOLE * self.endpoint.timeout):
                return await self._http.post("/chat/completions", json=body)
        except self._httpx.ConnectTimeout:
            return Failure("no connection within the time-out", used=False, reached=False)
        except (TimeoutError, self._httpx.TimeoutException):
            return Failure(f"no reply within {self.endpoint.timeout:g} seconds")
        except self._httpx.ConnectError as error:
            why = "" if "attempts failed" in str(error) else f": {error}"  # anyio's, of whatever failed
            return Failure(f"no connection{why}", used=False, reached=False)
        except self._httpx.RequestError as error:
            return Failure(f"the connection broke off: {type(error).__name__}")

    def _understood(self, response: Any) -> dict[str, Any] | Failure:
        """The reply in a response. Raises `UsageError` for what no repetition mends."""
        status, url = response.status_code, self.endpoint.url
        if status in BUSY or status >= 500:
            return Failure(f"status {status}", retry_after(response.headers), used=False)
        complaint = complaint_in(response.text, self.endpoint.key)
        if status in (401, 403):
            set_ = "another key" if self.endpoint.key else "a key"
            raise UsageError(f"{url} answers {status}: put {set_} for it into the environment as {KEYS[0]}")
        if status == 404:
            raise UsageError(
                f"{url} answers 404 for the model {self.endpoint.model!r}{complaint}: name a model that it "
                "serves, and a url that ends in /v1"
            )
        if status != 200:
            raise UsageError(f"{url} refuses the request with status {status}{complaint}")
        reply = reply_in(response)
        if reply is None:
            if self._first:
                raise UsageError(
                    f"{url} answers, but not as an OpenAI-compatible endpoint does{complaint}: see whether "
                    "it ends in /v1"
                )
            return Failure("a reply that is no chat completion")
        if self.endpoint.key:  # a server may say it back
            reply["content"] = reply["content"].replace(self.endpoint.key, "…")
        return reply
