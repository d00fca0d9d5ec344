"""Which questions are dropped, by the rule as it reads, one question after the other: what the array operations are held against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from gland_assets.core.dedup import UInt64s, jaccard, shingles
from gland_assets.core.project import Dedup
from gland_assets.core.records import Duplicate

REFERENCE = "reference:"


class Entry(NamedTuple):
    """A question as it is compared, or a reference. `bands` is empty for a text without a word."""

    question_id: str
    discipline: str
    text: str
    text_hash: str
    bands: Sequence[int] | UInt64s
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
