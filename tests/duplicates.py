"""Which questions are dropped, by the rule as it reads, one question after the other: what the array operations are held against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from gland_assets.core import near as module
from gland_assets.core.bitmaps import Sieve
from gland_assets.core.dedup import bucket_keys, jaccard, shingles, sign
from gland_assets.core.likeness import Likeness
from gland_assets.core.links import linked
from gland_assets.core.near import Alike, Dropped, find
from gland_assets.core.project import Dedup
from gland_assets.core.records import Duplicate
from gland_assets.core.shares import Held, Shares, shared_places
from gland_assets.core.texts import Texts, UInt64s

REFERENCE = "reference:"


class Entry(NamedTuple):
    """A question as it is compared, or a reference. `bands` is empty for a text without a word."""

    question_id: str
    discipline: str
    text: str
    text_hash: str
    bands: Sequence[int] | UInt64s  # keys of buckets
    publishable: bool = True

    @property
    def reference(self) -> bool:
        return self.discipline.startswith(REFERENCE)


def place(entry: Entry) -> tuple[bool, str]:
    """References come before all others."""
    return not entry.reference, entry.question_id


def expected(entries: Iterable[Entry], dedup: Dedup, looked_at: int = 64) -> list[Duplicate]:
    """The dropped ones in order of id, whatever the order of `entries`."""
    first_of: dict[Hashable, Entry] = {}
    kept_in: defaultdict[Hashable, list[Entry]] = defaultdict(list)
    dropped: dict[str, Duplicate] = {}
    for one in sorted((entry for entry in entries if entry.publishable), key=place):
        mine = "" if one.reference else "all" if dedup.across else one.discipline
        if not one.reference:
            leader = first_of.get((one.text_hash, "")) or first_of.get((one.text_hash, mine))
            found = copy_of(one, leader, dropped) if leader else near(one, candidates(one, kept_in, mine), dedup)
            if found is not None:
                dropped[one.question_id] = found
            if leader is not None:
                continue
        first_of.setdefault((one.text_hash, mine), one)
        for key in set(map(int, one.bands)):
            if one.question_id not in dropped and len(kept_in[key, mine]) < looked_at:
                kept_in[key, mine].append(one)
    return sorted(dropped.values(), key=lambda row: row.question_id)


def copy_of(one: Entry, leader: Entry, dropped: dict[str, Duplicate]) -> Duplicate:
    """A copy of a dropped question duplicates the kept one."""
    stood = dropped.get(leader.question_id)
    if stood is None:
        return Duplicate(one.question_id, leader.question_id, one.discipline, leader.discipline, "exact", 1.0)
    return Duplicate(one.question_id, stood.kept_id, one.discipline, stood.kept_discipline, stood.kind, stood.jaccard)


def candidates(one: Entry, kept_in: dict[Hashable, list[Entry]], mine: str) -> list[Entry]:
    """The kept ones that are looked at, in order."""
    seen = {other.question_id: other for key in map(int, one.bands) for group in ("", mine) for other in kept_in[key, group]}
    return sorted(seen.values(), key=place)


def near(one: Entry, others: Iterable[Entry], dedup: Dedup) -> Duplicate | None:
    """The first that is alike."""
    for other in others:
        similarity = jaccard(shingles(one.text, dedup.ngram), shingles(other.text, dedup.ngram))
        if similarity >= dedup.threshold:
            return Duplicate(one.question_id, other.question_id, one.discipline, other.discipline, "near", similarity)
    return None


def keys_of(bands: bytes) -> list[int]:
    """The buckets that stored band keys stand for."""
    keys = np.frombuffer(bands, dtype="<u4")
    found: list[int] = bucket_keys(keys, np.arange(len(keys))).tolist()
    return found


def number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def held(rows: Sequence[Entry], dedup: Dedup) -> Held:
    """Rows as arrays."""
    lengths = [len(row.bands) for row in rows]
    return Held(
        np.array([number(str(key)) for row in rows for key in row.bands], dtype=np.uint64),
        np.cumsum([0, *lengths]),
        np.array([number(row.text_hash) for row in rows], dtype=np.uint64),
        np.array([0 if dedup.across or row.reference else number(row.discipline) for row in rows], dtype=np.uint64),
        np.array([row.reference for row in rows], dtype=np.bool_),
    )


def publishable(rows: Iterable[Entry]) -> list[Entry]:
    return sorted((row for row in rows if row.publishable), key=place)


def as_rows(rows: Sequence[Entry], dropped: dict[int, Dropped]) -> list[Duplicate]:
    found = (
        Duplicate(rows[at].question_id, rows[kept].question_id, rows[at].discipline, rows[kept].discipline, kind, similarity)
        for at, (kept, kind, similarity) in dropped.items()
    )
    return sorted(found, key=lambda row: row.question_id)


def found(entries: Iterable[Entry], dedup: Dedup) -> list[Duplicate]:
    """The dropped ones by the array operations, in order of id."""
    rows = publishable(entries)
    sieve, told = sieved([row.text for row in rows], dedup), held(rows, dedup)
    places, pairs = linked(shared_places(told), told.references, sieve, module.LOOKED_AT)
    alike = Alike.of(pairs.ones, pairs.others)
    likeness = Likeness(lambda at: rows[at].text, sieve, dedup)
    return as_rows(rows, find(Shares(places, len(rows)), alike, sum(row.reference for row in rows), likeness))


def sieved(texts: Sequence[str], dedup: Dedup) -> Sieve:
    """The sieve of texts."""
    return Sieve(sign(Texts.of(texts), dedup).bitmaps, dedup)
