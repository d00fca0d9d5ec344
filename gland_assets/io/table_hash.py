"""A hash of what a table of text, bytes and numbers holds, by which one with other content is told apart."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gland_assets.core.hashing import ID_BYTES
from gland_assets.io.texts import texts_of

_NONE = np.zeros(0, dtype=np.bool_)


def table_hash(table: pa.Table) -> str:
    """32 hex digits of what a table of text, bytes and numbers holds, however it lies in memory."""
    hashed = blake2b(digest_size=ID_BYTES)
    for column in table.columns:
        for part in _plain(column):
            hashed.update(f"{len(part)};".encode())
            hashed.update(part)
    return hashed.hexdigest()


def _plain(column: pa.ChunkedArray) -> Iterator[bytes | memoryview]:
    """Which values are null, how long each is where they have lengths, and then all of them in one."""
    nulls = np.concatenate([_NONE, *map(_nulls, column.chunks)]) if column.null_count else _NONE
    yield nulls.tobytes()
    if pa.types.is_primitive(column.type):
        values = np.concatenate([np.zeros(0, dtype=column.type.to_pandas_dtype()), *map(_values, column.chunks)])
        values[: len(nulls)][nulls] = 0
        yield values.tobytes()
    else:
        data, ends = texts_of(column)
        sizes = ends.copy()
        sizes[1:] -= ends[:-1]
        yield sizes.astype(np.int32).tobytes()
        yield data


def _nulls(chunk: pa.Array) -> NDArray[np.bool_]:
    told = chunk.buffers()[0]
    if told is None:
        return np.zeros(len(chunk), dtype=np.bool_)
    filled = np.unpackbits(np.frombuffer(told, dtype=np.uint8), count=chunk.offset + len(chunk), bitorder="little")
    return ~filled[chunk.offset :].view(np.bool_)


def _values(chunk: pa.Array) -> NDArray[Any]:
    told = np.frombuffer(chunk.buffers()[1], dtype=chunk.type.to_pandas_dtype())
    return told[chunk.offset : chunk.offset + len(chunk)]
