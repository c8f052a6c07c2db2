"""What a server sends back: chat completions, complaints, and when to come again."""

import email.utils
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def reply_in(response: Any) -> dict[str, Any] | None:
    """Fields of an `Exchange`; None for what is no chat completion."""
    try:
        found = response.json()
        choice = found["choices"][0]
        message = choice["message"]
        content = message.get("content")
        finish = str(choice.get("finish_reason") or "")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return None
    if isinstance(content, list):  # in parts
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    refusal = message.get("refusal")
    return {
        "content": _written(str(refusal or "") if content is None else str(content)),
        "finish": finish,
        "refusal": bool(refusal) or finish == "content_filter",
        "usage": dict(usage_in(response) or {}),
    }


def refusal_in(complaint: str) -> dict[str, Any] | None:
    """Fields of an `Exchange` where a filter before the model refused a question; else None."""
    if "content_filter" not in complaint and "content_policy" not in complaint:
        return None
    return {"content": "", "finish": "content_filter", "refusal": True, "usage": {}}


def usage_in(response: Any) -> dict[str, int] | None:
    """Tokens that the server counted; None where it does not say."""
    try:
        usage = response.json()["usage"]
        counted = {name: int(usage[name]) for name in ("prompt_tokens", "completion_tokens")}
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return counted if min(counted.values()) >= 0 else None


def _written(text: str) -> str:
    """A text as it can be kept: half of a character that takes two is no text in UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def retry_after(headers: Mapping[str, str]) -> float | None:
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


def complaint_in(text: str, key: str | None) -> str:
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
