"""Lines of TOML values: every value has one, and it is the line it stands on, in whatever way the document is written."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.toml_lines import KeyPath, find_lines

KEYS = st.sampled_from(["a", "b-1", "'q.r'", '"s \\" ]"', '"é#"', "7", "stage", "x_y"])
NOISE = st.sampled_from(["", "\n", "# [a] = { \"'''\n", "  \t\n", "# x\n\n#]\n"])
SPACE = st.sampled_from(["", " ", "\t "])
BREAK = st.sampled_from(["", " ", "\n", ' # ] }, "\n', "\n\n  "])


class Writer:
    """Writes random documents whose scalars are all different, so that each can be found in the text."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw, self.count = draw, 100000

    def scalar(self) -> str:
        self.count += 1
        mark = str(self.count)
        forms = [
            mark,
            f"{mark}.5e3",
            f'"{mark} # ] }} \\" ="',
            f"'{mark} [ = \" #'",
            f'"""{mark}\n""] \\" # \n[x]\n"""',
            f"'''{mark}\n''[y]'''",
        ]
        return self.draw(st.sampled_from(forms))

    def value(self, depth: int) -> str:
        kind = self.draw(st.sampled_from(["scalar"] * 3 + ["array", "table"])) if depth else "scalar"
        if kind == "scalar":
            return self.scalar()
        if kind == "array":
            items = [self.value(depth - 1) for _ in range(self.draw(st.integers(0, 3)))]
            gaps = [self.draw(BREAK) for _ in range(len(items) + 1)]
            body = "".join(gap + item + self.draw(SPACE) + "," for gap, item in zip(gaps, items, strict=False))
            return "[" + body + gaps[-1] + "]"
        return "{" + ", ".join(self.pair(key, depth - 1) for key in self.keys(3)) + "}"

    def keys(self, most: int) -> list[str]:
        return self.draw(st.lists(KEYS, unique=True, max_size=most))

    def pair(self, key: str, depth: int) -> str:
        dotted = self.draw(st.sampled_from([key, key, f"{key}.k", f"{key} . 'm' .n"]))
        return f"{self.draw(SPACE)}{dotted}{self.draw(SPACE)}={self.draw(SPACE)}{self.value(depth)}"

    def table(self, headers: list[str]) -> str:
        text = "".join(header + self.draw(SPACE) + self.draw(st.sampled_from(["", "# [z]"])) + "\n" for header in headers)
        for key in self.keys(3):
            text += self.draw(NOISE) + self.pair(key, 2) + self.draw(st.sampled_from(["", " # = 1"])) + "\n"
        return text

    def document(self) -> str:
        text = self.table([])
        for name in ("t1", "t2.'in ner'"):
            text += self.draw(NOISE) + self.table([f"[ {name} ]"])
        for _ in range(self.draw(st.integers(0, 3))):
            text += self.draw(NOISE) + self.table(["[[field]]"])
            for _ in range(self.draw(st.integers(0, 2))):
                text += self.table(["  [[field.subfield]]"])
                if self.draw(st.booleans()):
                    text += self.table(["  [field.subfield.deep.er]"])
        return text if self.draw(st.booleans()) else text.replace("\n", "\r\n")


@st.composite
def documents(draw: st.DrawFn) -> str:
    return Writer(draw).document()


def walk(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every value of a parsed document with its path, tables and arrays too."""
    if path:
        yield path, value
    if isinstance(value, dict | list):
        for part, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from walk(inner, (*path, part))


@given(documents())
def test_every_value_has_a_line_and_nothing_else_has(text: str) -> None:
    assert set(find_lines(text).at) == {path for path, _ in walk(tomllib.loads(text))}


@given(documents())
def test_a_scalar_stands_on_its_line(text: str) -> None:
    lines, rows = find_lines(text), text.split("\n")
    for path, value in walk(tomllib.loads(text)):
        if not isinstance(value, dict | list):
            mark = str(value)[:6] if isinstance(value, str) else str(int(value))[:6]
            assert mark in rows[lines.of(path) - 1]


@given(documents(), st.integers(1, 5))
def test_lines_above_move_every_line_down(text: str, count: int) -> None:
    moved = find_lines("# above\n" * count + text)
    assert moved.at == {path: line + count for path, line in find_lines(text).at.items()}


def test_tables_have_the_line_of_their_header() -> None:
    lines = find_lines("\n[a.b]\nc = 1\n[a]\nd.e = 2\n[[f]]\n[[f.g]]\n[[f]]\n[[f.g]]\nh = [\n  { i = 3 },\n  'j', { i = 4 }]\n")
    assert lines.of(("a",)) == 4
    assert lines.of(("a", "b")) == 2
    assert lines.of(("a", "d", "e")) == 5
    assert [lines.of(("f", place)) for place in (0, 1)] == [6, 8]
    assert lines.of(("f", 1, "g", 0)) == 9
    assert [lines.of(("f", 1, "g", 0, "h", place)) for place in (0, 1, 2)] == [11, 12, 12]


def test_what_is_missing_has_the_line_of_what_stands_above_it() -> None:
    lines = find_lines("x = 1\n\n[deployment.gpt]\nrpm = 1\n")
    assert lines.of(("deployment", "gpt", "model")) == 3
    assert lines.of(("nothing", "here")) == 0
