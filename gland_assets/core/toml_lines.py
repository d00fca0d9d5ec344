"""Where each key of a TOML text stands, so that a fault can name its line. The standard reader gives values without places."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

KeyPath = tuple[str | int, ...]
"""From the top of a document to a value: keys of tables and, for arrays, places from 0."""

_TOKEN = re.compile(
    r'''(?P<skip>[ \t]+|\#[^\n]*)
      | (?P<long>"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5} | \'\'\'(?:[^']|'{1,2}(?!'))*'{3,5})
      | (?P<short>"(?:[^"\\\n]|\\.)*" | '[^'\n]*' | [^\s\[\]{}=,.\#"']+ | [\[\]{}=,.])
      | (?P<newline>\n)''',
    re.VERBOSE | re.DOTALL,
)
_END = "\n"


@dataclass(frozen=True, slots=True)
class Lines:
    """The line, from 1, of every value of one document."""

    at: Mapping[KeyPath, int] = field(default_factory=dict)

    def of(self, path: KeyPath) -> int:
        """Line of `path`, or of the nearest thing above it that stands in the text; 0 for the document as a whole."""
        while path:
            if path in self.at:
                return self.at[path]
            path = path[:-1]
        return 0


def find_lines(text: str) -> Lines:
    """Lines of every key, table and array item of `text`, which `tomllib` must have accepted before: its form is not checked again."""
    return Lines(_Walk(_tokens(text.replace("\r\n", "\n"))).lines)


def _tokens(text: str) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    line = 1
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "skip":
            continue
        token = match.group()
        found.append((token, line))
        if kind != "short":
            line += token.count("\n")
    found.append((_END, line))
    return found


class _Walk:
    """One pass over the tokens of a valid document."""

    def __init__(self, tokens: list[tuple[str, int]]) -> None:
        self.tokens, self.place = tokens, 0
        self.lines: dict[KeyPath, int] = {}
        self.tables: dict[KeyPath, int] = {}  # arrays of tables: how many of each so far
        base: KeyPath = ()
        while self.place < len(tokens):
            token, line = tokens[self.place]
            if token == _END:
                self.place += 1
            elif token == "[":
                base = self.header(line)
            else:
                self.pair(base)

    def header(self, line: int) -> KeyPath:
        """`[a.b]` or `[[a.b]]`: the path of the table it opens."""
        self.place += 1
        array = self.tokens[self.place][0] == "["
        self.place += array
        parts = self.key()
        self.place += 1 + array
        path: KeyPath = ()
        for place, part in enumerate(parts, start=1):
            path = (*path, part)
            last = place == len(parts)
            if last and not array:
                self.lines[path] = line
            self.lines.setdefault(path, line)
            if last and array:
                self.tables[path] = self.tables.get(path, 0) + 1
            if path in self.tables:
                path = (*path, self.tables[path] - 1)
                self.lines.setdefault(path, line)
        return path

    def key(self) -> list[str]:
        """`a."b".c`, parted at its dots."""
        parts = [_plain(self.tokens[self.place][0])]
        self.place += 1
        while self.tokens[self.place][0] == ".":
            parts.append(_plain(self.tokens[self.place + 1][0]))
            self.place += 2
        return parts

    def pair(self, base: KeyPath) -> None:
        """`key = value` in the table at `base`."""
        line = self.tokens[self.place][1]
        path = base
        for part in self.key():
            path = (*path, part)
            self.lines.setdefault(path, line)
        self.place += 1
        self.value(path)

    def value(self, path: KeyPath) -> None:
        """Whatever stands to the right of `=` or in an array."""
        opened = self.tokens[self.place][0]
        if opened == "[":
            self.array(path)
        elif opened == "{":
            self.place += 1
            while self.after_separators() != "}":
                self.pair(path)
            self.place += 1
        else:
            # Numbers and times may be several tokens (1.5, 2026-01-01 10:00); they end where the value must.
            while self.tokens[self.place][0] not in {",", "]", "}", _END}:
                self.place += 1

    def array(self, path: KeyPath) -> None:
        """`[value, value]`, over as many lines as it takes."""
        self.place += 1
        index = 0
        while self.after_separators() != "]":
            item = (*path, index)
            self.lines[item] = self.tokens[self.place][1]
            self.value(item)
            index += 1
        self.place += 1

    def after_separators(self) -> str:
        """The next token that is neither a comma nor the end of a line."""
        while self.tokens[self.place][0] in {",", _END}:
            self.place += 1
        return self.tokens[self.place][0]


def _plain(token: str) -> str:
    """A key without its quotes."""
    if token[0] == "'":
        return token[1:-1]
    return str(tomllib.loads(f"k = {token}")["k"]) if token[0] == '"' else token
