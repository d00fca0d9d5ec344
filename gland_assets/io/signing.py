"""The signatures of a discipline's questions, from Parquet columns to an Arrow table, without an object a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gland_assets.core.dedup import sign
from gland_assets.core.project import Dedup
from gland_assets.core.records import CONTENT, Signature
from gland_assets.io.partitions import Partitions
from gland_assets.io.stored_schemas import STORED
from gland_assets.io.table_hash import table_hash
from gland_assets.io.texts import compared_texts, texts_of


def sign_questions(partitions: Partitions, slug: str, settings: Dedup) -> tuple[pa.Table, str]:
    """The signatures of a discipline as they are stored, and their content hash. Raises as `Partitions.rows`."""
    signed = signature_table(slug, compared_texts(partitions, slug, settings.over), settings)
    return signed, table_hash(signed.select(CONTENT[Signature]))


def signature_table(slug: str, texts: pa.Table, settings: Dedup) -> pa.Table:
    """Text hash, MinHash signature, band keys and bitmap of all texts of a discipline, or reference, as texts.compared_texts gives them."""
    asked = texts.filter(texts["text"].is_valid()) if texts["text"].null_count else texts
    signed = sign(texts_of(asked["text"]), settings)
    hashes = _hexadecimal(signed.text_hashes)
    numbers = [_numbers(values, signed.worded) for values in (signed.signatures, signed.bands)]
    words, begins = signed.bitmaps
    bitmaps = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(asked), [None, pa.py_buffer(begins * 8), pa.py_buffer(words)])
    return pa.table([asked["question_id"], pa.repeat(slug, len(asked)), hashes, *numbers, bitmaps], schema=STORED["signatures"])


def _hexadecimal(hashes: list[bytes]) -> pa.StringArray:
    """Hashes of one length as text."""
    told = b"".join(hashes).hex().encode()
    offsets = np.linspace(0, len(told), len(hashes) + 1, dtype=np.int32)
    return pa.StringArray.from_buffers(len(hashes), pa.py_buffer(offsets), pa.py_buffer(told))


def _numbers(values: NDArray[Any], filled: NDArray[np.bool_]) -> pa.LargeBinaryArray:
    """Rows of `values` as bytes, those not `filled` as none: as lists of numbers they would take twice as long to write."""
    offsets = np.concatenate([[0], np.cumsum(filled) * values.shape[1] * values.itemsize])
    held = values if filled.all() else values[filled]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(values), [None, pa.py_buffer(offsets), pa.py_buffer(held)])
