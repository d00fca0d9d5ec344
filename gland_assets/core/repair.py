"""JSON broken in small, known ways: read with json_repair, and taken only when every word of it stands in the value and no other. Pure.

Mended are trailing and missing commas, single quotes, Python's words, comments, unescaped line ends and brackets missing at the end. Not
mended, because something would have to be guessed: a text that stops inside a value, prose between values, quotes inside quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_TOKEN = re.compile(
    r"""(?P<double>"(?:\\.|[^"\\])*")|(?P<single>'(?:\\.|[^'\\])*')|(?P<comment>//[^\n]*|/\*.*?\*/|\#[^\n]*)"""
    r"""|(?P<number>-?\d[\d.eE+-]*)|(?P<key>[A-Za-z_]\w*(?=\s*:))|(?P<word>[A-Za-z_]\w*)|(?P<mark>[\[\]{},:])|\s+|(?P<stray>.)""",
    re.DOTALL,
)
_WORDS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_ESCAPE = re.compile(r"\\(u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|.)", re.DOTALL)
_ESCAPED_QUOTE = re.compile(r"\\(.)|\"", re.DOTALL)
_OPENED: Mapping[str, type] = {"{": dict, "[": list}


class Beyond(Exception):
    """The text cannot be mended without guessing."""


def repaired(text: str, to_the_end: bool) -> Any:
    """The object or list that `text`, which begins with its bracket, was meant to be. Raises Beyond.

    `to_the_end`: the reply ends where `text` does. Only there may brackets be missing: else what follows belongs to it.
    """
    text = _ESCAPE.sub(_plain, text)
    meant = list(_scalars(text, to_the_end))
    from json_repair import loads  # here: nearly every reply does without

    try:
        value: Any = loads(text, skip_json_loads=True)
    except (ValueError, RecursionError) as error:
        raise Beyond(str(error)[:80]) from None
    if not isinstance(value, _OPENED[text[0]]) or _spelled(meant) != _spelled(list(_leaves(value))):
        raise Beyond("something would be lost or added")
    return value


def _plain(escape: re.Match[str]) -> str:
    """What json_repair would leave escaped: pairs of surrogates, and the slash."""
    if escape[1] == "/":
        return "/"
    return str(json.loads(f'"{escape[0]}"')) if len(escape[1]) > 1 else escape[0]


def _scalars(text: str, to_the_end: bool) -> Iterator[Any]:
    """Every key and value that a JSON-like text spells out, in order. Raises Beyond where it says something else."""
    last, depth = "", 0
    for token in _TOKEN.finditer(text):
        kind, found = token.lastgroup, token.group()
        if kind is None or kind == "comment":
            continue
        if kind == "stray" or (kind == "word" and found not in _WORDS):
            raise Beyond(f"{found!r} is no part of JSON")
        last = found
        if kind == "word":
            yield _WORDS[found]
        elif kind == "key":
            yield found
        elif kind == "mark":
            depth += (found in "[{") - (found in "]}")
        else:
            try:
                yield json.loads(_in_double_quotes(found) if kind == "single" else found, strict=False)
            except ValueError:
                raise Beyond(f"{found[:40]!r} is no JSON value") from None
    if last in ("{", "[", ",", ":") or (depth and not to_the_end):
        raise Beyond("it stops before a value")


def _in_double_quotes(single: str) -> str:
    inside = _ESCAPED_QUOTE.sub(lambda found: {"'": "'", None: r"\""}.get(found[1], found[0]), single[1:-1])
    return f'"{inside}"'


def _leaves(value: Any) -> Iterator[Any]:
    """Every key and value, in order."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def _spelled(scalars: list[Any]) -> str:
    return json.dumps(scalars)  # 1, 1.0 and true are equal to Python, and not the same
