"""The replies of the test server's model, in OpenAI's protocol: the same body, the same reply; whole, or spoilt as it is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from random import Random
from typing import Any

from tests.speech import reply_text

REFUSAL = "I'm sorry, but I can't help with that request."
FOREIGN = "Это предложение написано буквами, которых здесь никто не ждёт, и говорит совсем не то."
LOOP = "The same thing happens again and again in this part. " * 40
THOUGHT = "Let me think about this. "
SPOILT = (
    "no_choices", "no_usage", "empty", "length", "content_filter", "thought_away", "reasoning_only", "think_open", "bad_json",
    "broken_json", "no_json", "refusal", "loop", "echo", "foreign",
)  # fmt: skip
"""Faults of a model's reply. Beside them, and no fault: gzip, think, think_only_closed, reasoning."""


def completion(body: Mapping[str, Any], fault: str = "") -> dict[str, Any]:
    """The whole reply to a request body: the same body, the same reply."""
    seed = blake2b(json.dumps(body, sort_keys=True).encode(), digest_size=8).hexdigest()
    text = reply_text(body, Random(seed))
    reason = "stop"
    if fault == "length":
        text, reason = text[: max(20, len(text) // 2)], "length"
    elif fault in ("content_filter", "thought_away"):
        text, reason = "", "length" if fault == "thought_away" else fault
    else:
        prompt = str(body["messages"][-1]["content"])
        said = {
            "empty": " \n", "bad_json": '{"subjects": [', "refusal": REFUSAL, "loop": LOOP, "echo": prompt, "foreign": FOREIGN,
            "broken_json": f"```json\n{text[:-1]},}}  // as asked\n```",
            "no_json": "Certainly: there are several, and each is worth a term.",
            "think": f"<think>{THOUGHT}</think>\n\n{text}", "think_open": f"<think>{THOUGHT}",
            "think_only_closed": f"{THOUGHT}\n</think>\n\n{text}", "reasoning_only": "",
        }  # fmt: skip
        text = said.get(fault, text)
    prompt_tokens = sum(len(str(message["content"])) for message in body["messages"]) // 4 + 8
    done: dict[str, Any] = {
        "id": f"chatcmpl-{seed}", "object": "chat.completion", "created": 1, "service_tier": "default", "model": f"{body['model']}-served",
        "choices": [{"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": text}}],
    }  # fmt: skip
    if fault in ("reasoning", "reasoning_only", "thought_away"):
        done["choices"][0]["message"]["reasoning_content"] = THOUGHT
    if fault == "no_choices":
        done["choices"] = []
    if fault != "no_usage":
        spoken = len(text) // 4 + 1
        done["usage"] = {
            "prompt_tokens": prompt_tokens, "completion_tokens": spoken, "total_tokens": prompt_tokens + spoken,
            "prompt_tokens_details": {"cached_tokens": 4},
        }  # fmt: skip
    return done
