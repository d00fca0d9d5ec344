"""The signatures of a discipline's questions, from Parquet columns to an Arrow table, without an object a row."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gland_assets.core.dedup import sign
from gland_assets.core.hashing import ID_BYTES
from gland_assets.core.project import Dedup
from gland_assets.core.records import CONTENT, Signature
from gland_assets.io.partitions import Partitions
from gland_assets.io.stored_schemas import STORED
from gland_assets.io.texts import compared_texts


def sign_questions(partitions: Partitions, slug: str, settings: Dedup) -> tuple[pa.Table, str]:
    """The signatures of a discipline as they are stored, and their content hash. Raises as `Partitions.rows`."""
    signed = signature_table(compared_texts(partitions, slug, settings.over), settings)
    return signed, table_hash(signed.select(CONTENT[Signature]))


def signature_table(questions: pa.Table, settings: Dedup) -> pa.Table:
    """Text hash, MinHash signature and band keys of every question that has a text. `questions` has question_id, discipline and text."""
    asked = questions.filter(pc.is_valid(questions["text"]))
    signed = sign(asked["text"].to_pylist(), settings)
    hashes = pa.array(signed.text_hashes, pa.string())
    lists = [_lists(values, signed.worded) for values in (signed.signatures, signed.bands)]
    return pa.table([asked["question_id"], asked["discipline"], hashes, *lists], schema=STORED["signatures"])


def _lists(values: NDArray[Any], filled: NDArray[np.bool_]) -> pa.ListArray:
    """Rows of `values` as lists, those not `filled` as empty ones."""
    offsets = np.concatenate([[0], np.cumsum(filled) * values.shape[1]])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values[filled].ravel()))


def table_hash(table: pa.Table) -> str:
    """32 hex digits of what a table of text, numbers and lists of them holds, however it lies in memory."""
    hashed = blake2b(digest_size=ID_BYTES)
    for column in table.columns:
        for part in _plain(column.combine_chunks()):
            hashed.update(f"{len(part)};".encode())
            hashed.update(part)
    return hashed.hexdigest()


def _plain(array: pa.Array) -> Iterator[bytes]:
    """Which values are null, how long each is where they have lengths, and then all of them in one."""
    yield array.is_null().to_numpy(zero_copy_only=False).tobytes() if array.null_count else b""
    if pa.types.is_list(array.type):
        yield pc.list_value_length(array).fill_null(0).to_numpy().tobytes()
        yield from _plain(array.flatten())
    elif pa.types.is_string(array.type):
        yield pc.binary_length(array).fill_null(0).to_numpy().tobytes()
        yield "".join(filter(None, array.to_pylist())).encode()
    else:
        yield array.fill_null(0).to_numpy().tobytes()
