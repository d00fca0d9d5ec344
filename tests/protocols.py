"""The protocols that providers speak, for the test server: each request told as an OpenAI body, each OpenAI reply told in the protocol."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Protocol:
    """How one provider is talked to at paths that fit `path`."""

    name: str
    path: str  # a regular expression; its group `model`, where it has one, names the model
    asked: Callable[[Json, str], Json]  # body and model of the path -> OpenAI body
    said: Callable[[Json, Json], Json]  # OpenAI reply and the body that was sent -> reply


def protocol_of(path: str) -> tuple[Protocol, str] | None:
    """The protocol spoken at a path, and the model that the path names."""
    for protocol in PROTOCOLS:
        if found := re.fullmatch(protocol.path, path):
            return protocol, found.groupdict().get("model", "")
    return None


def _openai_asked(body: Json, model: str) -> Json:
    """A tool that must be called stands for a schema."""
    asked: Json = {"model": model} | body
    if body.get("tools"):
        schema = body["tools"][0]["function"]["parameters"]
        asked["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
    return asked


def _openai_said(reply: Json, body: Json) -> Json:
    if body.get("tools"):
        for choice in reply["choices"]:
            called = {"name": body["tools"][0]["function"]["name"], "arguments": choice["message"]["content"]}
            choice["message"] |= {"content": None, "tool_calls": [{"id": "call-1", "type": "function", "function": called}]}
            choice["finish_reason"] = "tool_calls"
    return reply


def _anthropic_asked(body: Json, model: str) -> Json:
    system = _text(body.get("system", ""))
    turns = [{"role": each["role"], "content": _text(each["content"])} for each in body["messages"]]
    schema = body.get("output_format", {}).get("schema") or body.get("output_config", {}).get("format", {}).get("schema")
    if body.get("tools"):
        schema = body["tools"][0]["input_schema"]
    return _asked(body["model"], system, turns, schema)


def _anthropic_said(reply: Json, body: Json) -> Json:
    text, reason, usage, thought = _parts(reply)
    content: list[Json] = [{"type": "thinking", "thinking": thought, "signature": "s"}] if thought else []
    if body.get("tools"):
        content.append({"type": "tool_use", "id": "toolu_1", "name": body["tools"][0]["name"], "input": json.loads(text)})
    elif text or not thought:
        content.append({"type": "text", "text": text})
    reasons = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": reply["model"], "content": content,
        "stop_reason": "tool_use" if body.get("tools") else reasons[reason], "stop_sequence": None,
        "usage": {"input_tokens": usage[0], "output_tokens": usage[1]},
    }  # fmt: skip


def _gemini_asked(body: Json, model: str) -> Json:
    turns = [{"role": each["role"], "content": _text(each["parts"])} for each in body["contents"]]
    settings = body.get("generationConfig", {})
    schema = settings.get("responseJsonSchema") or settings.get("response_json_schema") or settings.get("response_schema")
    return _asked(model, _text(body.get("system_instruction", {}).get("parts", "")), turns, schema)


def _gemini_said(reply: Json, body: Json) -> Json:
    text, reason, usage, thought = _parts(reply)
    parts: list[Json] = [{"text": thought, "thought": True}] if thought else []
    reasons = {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
    return {
        "candidates": [{"content": {"role": "model", "parts": [*parts, {"text": text}]}, "finishReason": reasons[reason], "index": 0}],
        "usageMetadata": {"promptTokenCount": usage[0], "candidatesTokenCount": usage[1], "totalTokenCount": sum(usage)},
        "modelVersion": reply["model"],
    }  # fmt: skip


def _ollama_asked(body: Json, model: str) -> Json:
    schema = body.get("format")
    return _asked(body["model"], "", body["messages"], schema if isinstance(schema, dict) else None, schema == "json")


def _ollama_said(reply: Json, body: Json) -> Json:
    text, reason, usage, thought = _parts(reply)
    message = {"role": "assistant", "content": text} | ({"thinking": thought} if thought else {})
    return {
        "model": reply["model"], "created_at": "2026-01-01T00:00:00Z", "message": message, "done": True, "done_reason": reason,
        "prompt_eval_count": usage[0], "eval_count": usage[1],
    }  # fmt: skip


def _converse_asked(body: Json, model: str) -> Json:
    turns = [{"role": each["role"], "content": _text(each["content"])} for each in body["messages"]]
    tools = body.get("toolConfig", {}).get("tools")
    schema = tools[0]["toolSpec"]["inputSchema"]["json"] if tools else None
    text_format = body.get("outputConfig", {}).get("textFormat", {}).get("structure", {}).get("jsonSchema", {}).get("schema")
    return _asked(model, _text(body.get("system", "")), turns, json.loads(text_format) if text_format else schema)


def _converse_said(reply: Json, body: Json) -> Json:
    text, reason, usage, _ = _parts(reply)
    tools = body.get("toolConfig", {}).get("tools")
    content: Json = {"text": text}
    if tools:
        content = {"toolUse": {"toolUseId": "t1", "name": tools[0]["toolSpec"]["name"], "input": json.loads(text)}}
    reasons = {"stop": "end_turn", "length": "max_tokens", "content_filter": "content_filtered"}
    return {
        "output": {"message": {"role": "assistant", "content": [content]}}, "stopReason": "tool_use" if tools else reasons[reason],
        "usage": {"inputTokens": usage[0], "outputTokens": usage[1], "totalTokens": sum(usage)}, "metrics": {"latencyMs": 1},
    }  # fmt: skip


def _asked(model: str, system: str, turns: list[Json], schema: Any = None, any_json: bool = False) -> Json:
    body: Json = {"model": model, "messages": [*([{"role": "system", "content": system}] if system else []), *turns]}
    if schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
    elif any_json:
        body["response_format"] = {"type": "json_object"}
    return body


def _parts(reply: Json) -> tuple[str, str, tuple[int, int], str]:
    """Text, finish reason, tokens asked and said, and thought of an OpenAI reply."""
    choice, usage = reply["choices"][0], reply.get("usage", {})
    tokens = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    return choice["message"]["content"] or "", choice["finish_reason"], tokens, choice["message"].get("reasoning_content", "")


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content)


def error_of(protocol: Protocol, status: int, message: str, code: str | None) -> Mapping[str, Any]:
    """A refusal in the protocol's words."""
    if protocol.name == "anthropic":
        return {"type": "error", "error": {"type": code or "api_error", "message": message}}
    if protocol.name == "gemini":
        return {"error": {"code": status, "message": message, "status": code or "INTERNAL"}}
    if protocol.name == "ollama":
        return {"error": message}
    if protocol.name == "converse":
        return {"message": message}
    return {"error": {"message": message, "type": "test", "code": code}}


PROTOCOLS = (
    Protocol("openai", r"(?:/[^/]+)*/chat/completions", _openai_asked, _openai_said),
    Protocol("anthropic", r"(?:/[^/]+)*/v1/messages", _anthropic_asked, _anthropic_said),
    Protocol("gemini", r"(?:/[^/:]+)*/(?P<model>[^/:]+):generateContent", _gemini_asked, _gemini_said),
    Protocol("ollama", r"(?:/[^/]+)*/api/chat", _ollama_asked, _ollama_said),
    Protocol("converse", r"/model/(?P<model>[^/]+)/converse", _converse_asked, _converse_said),
)
