"""Read the plainest reply of OpenAI's protocol without litellm's objects, which cost as much as the rest of a call.

What is not as plain as that (reasoning, tool calls, another reason to end, an error) is left to litellm: so both say the same of a reply.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

KNOWN = frozenset({"role", "content"})  # keys of a message; any other has to be empty
DETAILS = frozenset({"prompt_tokens_details", "completion_tokens_details"})
COUNTED = ("cache", "reasoning")  # in the name of another key of the usage: a provider's own count, which litellm knows how to read
ENDS = ("stop", "length")  # what litellm hands on as it is


def plain_reply(body: bytes) -> Any | None:
    """What litellm would read from `body`, as far as a completion needs it; None when that is for litellm to say."""
    try:
        reply = json.loads(body)
        (choice,) = reply["choices"]
        message, usage = choice["message"], reply["usage"]
        content, ends, model = message["content"], choice["finish_reason"], reply["model"]
        told = [usage[name] for name in ("prompt_tokens", "completion_tokens")]
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
        simple = not any(message[key] for key in message.keys() - KNOWN) and not reply.get("error")
        # Another count of what was cached, a nought too, takes the place of the details' for litellm.
        simple = simple and not any((usage[key] or cached) and any(word in key for word in COUNTED) for key in usage.keys() - DETAILS)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    if not simple or ends not in ENDS or not isinstance(content, str) or not isinstance(model, str) or "think>" in content:
        return None
    if any(type(count) is not int for count in (*told, cached, reasoning)):
        return None
    spent = SimpleNamespace(
        prompt_tokens=told[0], completion_tokens=told[1], prompt_tokens_details=SimpleNamespace(cached_tokens=cached),
        completion_tokens_details=SimpleNamespace(reasoning_tokens=reasoning),
    )  # fmt: skip
    said = SimpleNamespace(message=SimpleNamespace(content=content), finish_reason=ends)
    return SimpleNamespace(choices=[said], usage=spent, model=model)
