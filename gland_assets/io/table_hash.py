"""A hash of what a table of text, bytes and numbers holds, by which one with other content is told apart."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from gland_assets.core.hashing import ID_BYTES


def table_hash(table: pa.Table) -> str:
    """32 hex digits of what a table of text, bytes and numbers holds, however it lies in memory."""
    hashed = blake2b(digest_size=ID_BYTES)
    for column in table.columns:
        wide = column.cast(pa.large_string()) if pa.types.is_string(column.type) else column  # else no more than 2 GiB in one
        for part in _plain(wide.combine_chunks()):
            hashed.update(f"{len(part)};".encode())
            hashed.update(part)
    return hashed.hexdigest()


def _plain(array: pa.Array) -> Iterator[bytes | memoryview]:
    """Which values are null, how long each is where they have lengths, and then all of them in one."""
    yield array.is_null().to_numpy(zero_copy_only=False).tobytes() if array.null_count else b""
    if pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type):
        filled = array.fill_null(pa.scalar("" if pa.types.is_large_string(array.type) else b"", array.type))
        _, told, data = filled.buffers()
        offsets = np.frombuffer(told or bytes(8), dtype=np.int64)[filled.offset : filled.offset + len(filled) + 1]
        yield np.diff(offsets).astype(np.int32).tobytes()
        yield memoryview(data or b"")[slice(*offsets[[0, -1]])]
    else:
        yield memoryview(array.fill_null(0).to_numpy()).cast("B")
