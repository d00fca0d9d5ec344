"""Laws of the hash of a table: what it holds decides, and how it lies in memory does not."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.io.table_hash import table_hash

TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
CELLS = st.fixed_dictionaries(
    {"name": TEXTS, "held": st.none() | st.binary(max_size=5), "count": st.none() | st.integers(0, 2**32 - 1), "told": TEXTS}
)
SCHEMA = pa.schema([("name", pa.string()), ("held", pa.large_binary()), ("count", pa.uint32()), ("told", pa.string())])


@settings(max_examples=300, deadline=None)
@given(st.lists(CELLS, max_size=4), st.lists(CELLS, max_size=4))
def test_two_tables_have_one_content_hash_if_and_only_if_they_hold_the_same(
    one: list[dict[str, object]], other: list[dict[str, object]]
) -> None:
    first, second = pa.Table.from_pylist(one, schema=SCHEMA), pa.Table.from_pylist(other, schema=SCHEMA)
    assert (table_hash(first) == table_hash(second)) == (one == other)


@settings(max_examples=100, deadline=None)
@given(st.lists(CELLS, max_size=6), st.integers(0, 6))
def test_how_a_table_lies_in_memory_does_not_change_its_content_hash(held: list[dict[str, object]], cut: int) -> None:
    table = pa.Table.from_pylist(held, schema=SCHEMA)
    assert table_hash(pa.concat_tables([table[:cut], table[cut:]])) == table_hash(table)
    assert table_hash(table[cut:]) == table_hash(pa.Table.from_pylist(held[cut:], schema=SCHEMA))
