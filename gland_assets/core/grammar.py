"""A JSON schema as a compact llama.cpp grammar (GBNF), for the local model. Pure.

llama.cpp's own translation lets a small model put up to twenty spaces between any two tokens and write a string without end; this one fixes
the spacing to that of `json.dumps`, the order of properties to the schema's, and bounds every string, so a reply always comes to its end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

STRING_LIMIT = 200  # characters of a string for which the schema sets no maxLength
ARRAY_LIMIT = 12  # items of an array for which the schema sets no maxItems
CHARACTER = r"[^\x00-\x1f\x22\x5c\x7f]"
LETTER = r"[^\x00-\x20\x22\x5c\x7f]"
INTEGER = '("-"? ("0" | [1-9] [0-9]{0,8}))'
NUMBER = '("-"? ("0" | [1-9] [0-9]{0,8}) ("." [0-9]{1,6})?)'
PIECE = re.compile(
    r"(?P<set>\[(?!\^)(?:[^\]\\\"\[]|\\[-.\]\[])+\])|(?P<open>\((?:\?:)?)|(?P<close>\))|(?P<count>\{\d+(?:,\d+)?\}|[?*+])"
    r"|(?P<either>\|)|\\(?P<class>[dw])|\\(?P<mark>[-.?!()\[\]{}+*|])|(?P<plain>[^\\\"^$.])"
)
"""The part of regular expressions that a schema's `pattern` may use."""
CLASSES = {"d": "[0-9]", "w": "[A-Za-z0-9_]"}
REPEATS = {"*": f"{{0,{STRING_LIMIT}}}", "+": f"{{1,{STRING_LIMIT}}}", "?": "?"}
KEYWORDS = frozenset(
    ("type", "properties", "required", "additionalProperties", "items", "minItems", "maxItems", "enum", "const", "minLength", "maxLength",
     "pattern", "title", "description", "minimum", "maximum", "uniqueItems")
)  # fmt: skip


class NoGrammar(Exception):
    """The schema uses something this translation does not cover."""


def grammar(schema: Mapping[str, Any]) -> str:
    """GBNF text whose every sentence fits `schema`, save for numeric bounds and uniqueness. Raises NoGrammar for what it does not cover."""
    return f"root ::= {_value(schema)}\n"


def _value(schema: Mapping[str, Any]) -> str:
    unknown = set(schema) - KEYWORDS
    if unknown:
        raise NoGrammar(f"keyword {min(unknown)!r}")
    if "const" in schema:
        return _literal(json.dumps(schema["const"], ensure_ascii=False))
    if "enum" in schema:
        return "(" + " | ".join(_literal(json.dumps(each, ensure_ascii=False)) for each in schema["enum"]) + ")"
    kind = schema.get("type")
    if kind == "object":
        return _object(schema)
    if kind == "array":
        return _array(schema)
    if kind == "string":
        return _string(schema)
    plain = {"integer": INTEGER, "number": NUMBER, "boolean": '("true" | "false")', "null": '"null"'}
    if not isinstance(kind, str) or kind not in plain:
        raise NoGrammar(f"type {kind!r}")
    return plain[kind]


def _object(schema: Mapping[str, Any]) -> str:
    properties = schema.get("properties") or {}
    parts = [f"{_literal(json.dumps(name, ensure_ascii=False) + ': ')} {_value(inner)}" for name, inner in properties.items()]
    return '("{" ' + ' ", " '.join(parts) + ' "}")' if parts else '"{}"'


def _array(schema: Mapping[str, Any]) -> str:
    item = _value(schema.get("items") or {"type": "string"})
    least = int(schema.get("minItems", 0))
    most = int(schema.get("maxItems", max(least, ARRAY_LIMIT)))
    if most == 0:
        return '"[]"'
    some = f'({item} (", " {item}){{{max(least - 1, 0)},{most - 1}}})'
    return f'("[" {some if least else some + "?"} "]")'


def _string(schema: Mapping[str, Any]) -> str:
    pattern = schema.get("pattern")
    if pattern is not None:
        return f'("\\"" {_pattern(pattern)} "\\"")'
    least = max(int(schema.get("minLength", 1)), 1)
    most = max(int(schema.get("maxLength", max(least, STRING_LIMIT))), least)
    return f'("\\"" {LETTER} {CHARACTER}{{{least - 1},{most - 1}}} "\\"")'


def _pattern(pattern: str) -> str:
    """An anchored regular expression as GBNF, repetition without end cut at STRING_LIMIT."""
    if not (pattern.startswith("^") and pattern.endswith("$")):
        raise NoGrammar(f"pattern {pattern!r}")
    inner, at, parts = pattern[1:-1], 0, []
    while at < len(inner):
        found = PIECE.match(inner, at)
        if found is None:
            raise NoGrammar(f"pattern {pattern!r} at {inner[at:]!r}")
        at = found.end()
        parts.append(_piece(found.lastgroup or "", found[found.lastgroup or 0]))
    # A count must touch what it counts.
    return "(" + re.sub(r" (?=[?{])", "", " ".join(parts)) + ")"


def _piece(kind: str, text: str) -> str:
    if kind in ("plain", "mark"):
        return "[ ]" if text == " " else _literal(text)
    if kind == "count":
        return REPEATS.get(text, text)
    return {"set": text, "open": "(", "close": ")", "either": "|"}.get(kind) or CLASSES[text]


def _literal(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
