"""A budget in requests and tokens that is never exceeded: what a request may cost is set aside before it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ...datasets.errors import UsageError

RETRIES = 1.5  # requests of the usual budget, relative to what is asked: the rest is room to ask again
PATCH = 14  # pixels of a side of what vision models make one token of, the smallest that is common
FEWEST_OF_PICTURE = 4096  # tokens: several models scale small pictures up before they cut them
FRAME = 64  # tokens around a message that a chat template adds
UNITS = {"": 1, "k": 1_000, "m": 1_000_000}


@dataclass(frozen=True)
class Limits:
    """The most that may be spent; None where nothing limits it."""

    requests: int | None = None
    tokens: int | None = None

    @property
    def told(self) -> str:
        """In words."""
        parts = [f"{self.requests:,} requests"] if self.requests is not None else []
        parts += [f"{self.tokens:,} tokens"] if self.tokens is not None else []
        return " and ".join(parts) or "no limit"


def parse_limits(text: str) -> Limits:
    """Limits from "400 requests", "2M tokens", or both with a comma between.

    Raises:
        UsageError: For anything else.
    """
    limits = Limits()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*([kKmM]?)\s*(requests?|tokens?)\s*", part)
        if match is None or int(match[1]) == 0:
            raise UsageError(
                f"budget {text!r}: say for instance '400 requests', '2M tokens', or both with a comma"
            )
        amount = int(match[1]) * UNITS[match[2].lower()]
        limits = replace(limits, **{f"{match[3].rstrip('s')}s": amount})
    return limits


class BudgetSpentError(Exception):
    """What is left of the budget does not cover the next request."""


@dataclass
class Spending:
    """What was spent of a budget; nothing is sent that it might not cover.

    The tokens of a prompt are known only afterwards. Before the first reply to a question they are bounded
    from above (bytes of text, patches of the picture), then by the most that such a question took.

    Attributes:
        limits: The budget.
        requests: Sent so far, repeated ones as well.
        prompt_tokens: That the server counted, or the bound where it did not say.
        completion_tokens: Likewise.
        reserved: Set aside for what is under way.
        exceeded: Whether the server used more than it was allowed to.
    """

    limits: Limits = field(default_factory=Limits)
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reserved: int = 0
    exceeded: bool = False
    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)  # tokens and bytes of a question's prompt

    @property
    def tokens(self) -> int:
        """Both sides together."""
        return self.prompt_tokens + self.completion_tokens

    def bound(self, question: str, text_bytes: int, patches: int) -> int:
        """The most tokens that a prompt may have.

        Args:
            question: Which kind of question it is.
            text_bytes: Of all its texts.
            patches: Of its picture; 0 where it shows none.
        """
        if question in self._seen:
            tokens, seen_bytes = self._seen[question]
            return tokens + max(0, text_bytes - seen_bytes) + FRAME
        return text_bytes + (max(FEWEST_OF_PICTURE, patches) if patches else 0) + FRAME

    def reserve(self, tokens: int) -> None:
        """Sets tokens and one request aside. Raises `BudgetSpentError` where they are not there."""
        requests, limit = self.limits.requests, self.limits.tokens
        if requests is not None and self.requests >= requests:
            raise BudgetSpentError
        if limit is not None and self.tokens + self.reserved + tokens > limit:
            raise BudgetSpentError
        self.requests += 1
        self.reserved += tokens

    def settle(
        self, reserved: int, usage: Mapping[str, int] | None, question: str = "", text_bytes: int = 0
    ) -> None:
        """Books what a reply used, in the place of what was set aside; {} books nothing, None all of it."""
        self.reserved -= reserved
        if usage is None:
            self.prompt_tokens += reserved
            return
        prompt, completion = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
        self.prompt_tokens += prompt
        self.completion_tokens += completion
        limit = self.limits.tokens
        self.exceeded |= limit is not None and self.tokens > limit
        if prompt and question:
            tokens, seen_bytes = self._seen.get(question, (0, text_bytes))
            self._seen[question] = (max(tokens, prompt), min(seen_bytes, text_bytes))


def picture_patches(width: int, height: int) -> int:
    """The most tokens that a picture of so many pixels becomes, where it is not scaled up."""
    return -(-width // PATCH) * -(-height // PATCH)
