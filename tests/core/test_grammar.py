"""Schemas as grammars: what is covered reads as expected, what is not says so. The model itself: tests/io/test_local_model.py."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.grammar import NoGrammar, grammar
from gland_assets.core.schemas import subjects_schema, syllabus_schema


@pytest.mark.parametrize(
    ("schema", "rule"),
    [
        ({"type": "boolean"}, '("true" | "false")'),
        ({"enum": ["a", 'b"', 3]}, r'("\"a\"" | "\"b\\\"\"" | "3")'),
        ({"const": "x"}, r'"\"x\""'),
        ({"type": "object", "properties": {}}, '"{}"'),
        ({"type": "object", "properties": {"n": {"type": "null"}}}, r'("{" "\"n\": " "null" "}")'),
        ({"type": "array", "items": {"type": "null"}, "maxItems": 0}, '"[]"'),
        ({"type": "array", "items": {"type": "null"}, "minItems": 2, "maxItems": 3}, '("[" ("null" (", " "null"){1,2}) "]")'),
        ({"type": "array", "items": {"type": "null"}, "maxItems": 2}, '("[" ("null" (", " "null"){0,1})? "]")'),
        ({"type": "string", "pattern": "^[A-Z]( ?[a-z]){2,9}[.]$"}, r'("\"" ([A-Z] ( [ ]? [a-z] ){2,9} [.]) "\"")'),
        ({"type": "string", "pattern": r"^(ab|\d)+$"}, r'("\"" (( "a" "b" | [0-9] ){1,200}) "\"")'),
    ],
)
def test_a_schema_becomes_one_rule(schema: dict[str, Any], rule: str) -> None:
    assert grammar(schema) == f"root ::= {rule}\n"


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": [{"type": "string"}]},
        {"$ref": "#/x"},
        {"type": ["string", "null"]},
        {},
        {"type": "string", "pattern": "unanchored"},
        {"type": "string", "pattern": '^[^"]+$'},
        {"type": "string", "pattern": "^.*$"},
        {"type": "array", "items": {"allOf": []}},
    ],
)
def test_what_is_not_covered_says_so(schema: dict[str, Any]) -> None:
    with pytest.raises(NoGrammar):
        grammar(schema)


@given(st.integers(1, 30), st.integers(0, 30), st.booleans())
def test_the_products_own_schemas_are_covered(least: int, more: int, strict: bool) -> None:
    for schema in (subjects_schema(least, least + more, strict), syllabus_schema(least, least + more, strict)):
        assert grammar(schema).count("(") == grammar(schema).count(")")
