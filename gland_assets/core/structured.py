"""Structured replies: reading the JSON in a reply, checking it against its schema, and putting a schema into words. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gland_assets.core.repair import Beyond, repaired
from gland_assets.core.requests import Rejected

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

FENCED = re.compile(r"```[a-zA-Z]*[ \t]*\n(.*?)```", re.DOTALL)


def json_of(text: str) -> Any:
    """The JSON value a reply holds: the whole text, its only fenced block, or the text from its first bracket to its last.

    Where none of these is valid, they are mended, the first two from their first bracket on. Raises Rejected("not_json") when there is no
    value.
    """
    candidates = list(_candidates(text))
    for candidate in candidates:
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):  # brackets within brackets without end are no value either
            continue
    for place, candidate in enumerate(candidates, 1):
        start = _start(candidate)
        if start >= 0:
            try:
                return repaired(candidate[start:], to_the_end=place < len(candidates))
            except Beyond:
                continue
    raise Rejected("not_json", f"the reply holds no JSON value; it begins {text.strip()[:80]!r}")


def _candidates(text: str) -> Iterator[str]:
    yield text
    blocks = FENCED.findall(text)
    if len(blocks) == 1:
        yield blocks[0]
    start = _start(text)
    if start >= 0:
        end = text.rfind("}" if text[start] == "{" else "]")
        yield text[start : end + 1]


def _start(text: str) -> int:
    """Where the first bracket stands; -1 where there is none."""
    return min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)


def check_schema(value: Any, schema: Mapping[str, Any]) -> None:
    """Raises Rejected("schema") naming the first place where `value` does not fit `schema` (JSON Schema 2020-12)."""
    error = next(iter(_validator(json.dumps(schema)).iter_errors(value)), None)
    if error is not None:
        # In words of our own: they are shown to the model, and so are part of a key, which no release of a library may change.
        raise Rejected("schema", f"{error.json_path}: the schema asks for {error.validator}: {json.dumps(error.validator_value)[:200]}")


@lru_cache(maxsize=64)
def _validator(schema: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator  # here: a plan that reads no reply does without

    return Draft202012Validator(json.loads(schema))


def text_values(value: Any) -> Iterator[str]:
    """Every leaf of a JSON value as text, in order; keys and nulls left out."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from text_values(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from text_values(inner)
    elif value is not None:
        yield value if isinstance(value, str) else json.dumps(value)


def schema_in_words(schema: Mapping[str, Any]) -> str:
    """What to say to a model that cannot be held to a schema by its server."""
    return (
        "Reply with one JSON value and nothing else: no explanation, no code fence. It must fit this JSON schema:\n"
        + json.dumps(schema, ensure_ascii=False)
    )  # fmt: skip
