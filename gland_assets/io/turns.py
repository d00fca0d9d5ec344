"""Questions and answers out of the columns they come in: whole columns at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gland_assets.core.imports import ANSWERS, ASKS, SYSTEM, Chat, Form, Named


class Taken(NamedTuple):
    """One row a record: its question, null where there is none or a blank one, and its answer, likewise; and turns that were left out."""

    question: pa.Array
    answer: pa.Array
    system_turns: int = 0
    further_turns: int = 0


def schema_of(form: Form) -> pa.Schema:
    """The columns that `form` reads, in their plainest shape."""
    if isinstance(form, Named):
        return pa.schema([(column, pa.string()) for column in form.columns])
    return pa.schema([(form.column, pa.list_(pa.struct([(form.role, pa.string()), (form.text, pa.string())])))])


def taken(form: Form, table: pa.Table) -> Taken:
    """The questions and answers of some rows. Raises ArrowException when a column holds something else than text."""
    if isinstance(form, Chat):
        return _of_turns(form, table)
    question, answer = _texts(table, form.question), _texts(table, form.answer)
    if form.context is not None:
        context = _filled(_texts(table, form.context))
        question = pc.if_else(pc.is_valid(context), pc.binary_join_element_wise(question, context, "\n\n"), question)
    return Taken(_filled(question), _filled(answer))


def _of_turns(form: Chat, table: pa.Table) -> Taken:
    column = table[form.column].combine_chunks()
    owners = pc.list_parent_indices(column).to_numpy()
    turns = column.flatten()
    roles, texts = (_text(pc.struct_field(turns, name)) for name in (form.role, form.text))
    asks, answers, system = (np.flatnonzero(pc.is_in(roles, pa.array(names))) for names in (ASKS, ANSWERS, SYSTEM))
    first, of = _firsts(asks, owners)
    question_at, answer_at = (np.full(len(column), -1) for _ in range(2))
    question_at[of] = first
    following = np.append(answers, len(turns))[np.searchsorted(answers, first)]
    same = following < len(turns)
    same[same] = owners[following[same]] == of[same]
    answer_at[of[same]] = following[same]
    further = len(turns) - len(system) - len(first) - int(same.sum())
    return Taken(_filled(_at(texts, question_at)), _filled(_at(texts, answer_at)), len(system), further)


def _firsts(places: NDArray[np.int64], owners: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of `places` the first of each owner, and those owners."""
    of, at = np.unique(owners[places], return_index=True)
    return places[at], of


def _at(texts: pa.Array, places: NDArray[np.int64]) -> pa.Array:
    return texts.take(pa.array(places, pa.int64(), mask=places < 0))


def _texts(table: pa.Table, column: str | None) -> pa.Array:
    if column is None or column not in table.column_names:
        return pa.nulls(len(table), pa.string())
    return _text(table[column].combine_chunks())


def _text(column: pa.Array) -> pa.Array:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_null(kind)):
        raise pa.ArrowInvalid(f"{kind}, not text")
    return column.cast(pa.string())


def _filled(texts: pa.Array) -> pa.Array:
    """Blank ones as null."""
    return pc.if_else(pc.equal(pc.binary_length(pc.utf8_trim_whitespace(texts)), 0), pa.scalar(None, pa.string()), texts)
