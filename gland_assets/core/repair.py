"""JSON broken in small, known ways: put right with json_repair, and taken only when it then holds what was said and no more. Pure.

Mended are trailing and missing commas, single quotes, Python's words, comments, unescaped line ends and brackets missing at the end. Not
mended, because something would have to be guessed: a text that stops inside a string, prose between values, quotes inside quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_TOKEN = re.compile(
    r"(?P<space>(?:\s|//[^\n]*|/\*.*?\*/|\#[^\n]*)++)"  # comments too
    r"""|(?P<double>"(?:\\.|[^"\\])*")|(?P<single>'(?:\\.|[^'\\])*')|(?P<number>-?\d[\d.eE+-]*)"""
    r"|(?P<key>[A-Za-z_]\w*(?=\s*:))|(?P<word>[A-Za-z_]\w*)|(?P<open>[\[{])|(?P<close>[\]}])|(?P<between>[,:])|(?P<stray>.)",
    re.DOTALL,
)
_WORDS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_QUOTE = re.compile(r"\\(.)|\"", re.DOTALL)
_CLOSING = {"{": "}", "[": "]"}

Said = str | tuple[Any]
"""A bracket, a comma or a colon; or a key or a value, by itself."""


class Beyond(Exception):
    """The text cannot be mended without guessing."""


def repaired(text: str, to_the_end: bool) -> Any:
    """The object or list that `text`, which begins with its bracket, was meant to be. Raises Beyond.

    `to_the_end`: the reply ends where `text` does. Only there may brackets be missing: else what follows belongs to it.
    """
    said = list(_said(text))
    meant = list(_meant(said, to_the_end))
    # json_repair sees the form alone, each key and value as a number: it misreads some escapes, comments and empty texts.
    form = "".join(one if isinstance(one, str) else f' "{place}" ' for place, one in enumerate(said))
    from json_repair import loads  # here: nearly every reply does without

    try:
        value = _filled(loads(form, skip_json_loads=True), said)
        same = json.dumps(meant) == json.dumps(list(_held(value)))  # 1, 1.0 and true are equal to Python, and not the same
    except (ValueError, RecursionError) as error:
        raise Beyond(str(error)[:80]) from None
    if not same:
        raise Beyond("something would be lost or added")
    return value


def _said(text: str) -> Iterator[Said]:
    """What a text spells out, in order. Raises Beyond for what is no part of JSON."""
    for token in _TOKEN.finditer(text):
        kind, found = token.lastgroup, token.group()
        if kind in ("open", "close", "between"):
            yield found
        elif kind == "key":
            yield (found,)
        elif kind == "word" and found in _WORDS:
            yield (_WORDS[found],)
        elif kind != "space":
            try:
                yield (json.loads(_in_double_quotes(found) if kind == "single" else found, strict=False),)
            except ValueError:
                raise Beyond(f"{found[:40]!r} is no JSON value") from None


def _in_double_quotes(single: str) -> str:
    inside = _QUOTE.sub(lambda found: {"'": "'", None: r"\""}.get(found[1], found[0]), single[1:-1])
    return f'"{inside}"'


def _meant(said: Iterable[Said], to_the_end: bool) -> Iterator[Said]:
    """The brackets, keys and values of a text, with the brackets that are missing at its end."""
    last: Said = ""
    closing: list[str] = []
    for last in said:
        if last in ("{", "["):
            closing.append(_CLOSING[str(last)])
        elif last in ("}", "]") and (not closing or closing.pop() != last):
            raise Beyond(f"{last} closes nothing")
        if last not in (",", ":"):
            yield last
    if closing and (last in ("{", "[", ",", ":") or not to_the_end):
        raise Beyond("it stops before a value")
    yield from reversed(closing)


def _filled(form: Any, said: Sequence[Said]) -> Any:
    """The value of a form: each place in it taken by what was said there."""
    if isinstance(form, dict):
        return {said[int(place)][0]: _filled(inner, said) for place, inner in form.items()}
    return [_filled(inner, said) for inner in form] if isinstance(form, list) else said[int(form)][0]


def _held(value: Any) -> Iterator[Said]:
    """What a value holds, as `_meant` gives it."""
    if isinstance(value, dict):
        yield "{"
        for key, inner in value.items():
            yield (key,)
            yield from _held(inner)
        yield "}"
    elif isinstance(value, list):
        yield "["
        for inner in value:
            yield from _held(inner)
        yield "]"
    else:
        yield (value,)
