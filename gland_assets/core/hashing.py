"""Content addresses: the same value gives the same hex on every machine and in every version of Python."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

ID_BYTES = 16
SEED_BITS = 31  # providers take a signed 32-bit seed

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spare space; floats as Python's repr, text as it is."""
    return _ENCODER.encode(value)


def digest(*parts: Any) -> str:
    """32 hex digits over the canonical form of `parts`: the project's one way of making ids, keys and fingerprints."""
    return blake2b(canonical(parts).encode("utf-8", "surrogatepass"), digest_size=ID_BYTES).hexdigest()


def derive_seed(*parts: Any) -> int:
    """A seed in [0, 2**31) that depends on `parts` alone."""
    return int(digest("seed", *parts)[:8], 16) & ((1 << SEED_BITS) - 1)
