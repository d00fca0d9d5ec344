"""The parts of a request's key, small enough to be kept beside its reply, so that a later miss can say what differs.

What is short stands as it is; texts and schemas stand as digests of 8 hex digits, which tell that they differ and not how.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from gland_assets.core.hashing import canonical
from gland_assets.core.requests import Request

LONGEST_NAME = 80  # characters of a model's identity or a row's id that are kept; a longer one stands as its digest
_PLAIN = re.compile(r"[ !#-\[\]-~]*").fullmatch  # what JSON writes as it is, a byte a character
_COMPACT = json.JSONEncoder(separators=(",", ":"))
_PACKED = ("row", "model", "temperature", "top_p", "max_tokens", "schema", "seed", "sample", "turns")


@dataclass(frozen=True, slots=True)
class KeyParts:
    """What went into one request's key, and the row it was asked for."""

    row: str
    model: str  # identity of the preferred deployment
    temperature: float
    top_p: float
    max_tokens: int
    schema: str  # digest; empty without one
    seed: int
    sample: int
    turns: tuple[str, ...]  # a digest a message
    prompt_hash: str  # of the text of the last turn's prompt file; no part of the key, but says why that turn differs

    @classmethod
    def of(cls, request: Request, identity: str) -> KeyParts:
        """The parts of the key of `request` to the model `identity`."""
        asked = request.settings
        return cls(
            _name(request.row), _name(identity), asked.temperature, asked.top_p, asked.max_tokens,
            "" if request.schema is None else _schema(json.dumps(request.schema)), request.seed, request.sample,
            tuple(_short(f"{turn.role}:{turn.content}") for turn in request.messages), request.prompt_hash,
        )  # fmt: skip

    @classmethod
    def unpacked(cls, packed: str, prompt_hash: str) -> KeyParts:
        """What `packed` gave; the prompt's hash has a column of its own."""
        values = dict(zip(_PACKED, json.loads(packed), strict=True))
        return cls(**values | {"turns": tuple(values["turns"]), "prompt_hash": prompt_hash})

    def packed(self) -> str:
        """One line of JSON, at most 300 bytes."""
        return _COMPACT.encode([getattr(self, name) for name in _PACKED])

    def differences(self, stored: KeyParts) -> tuple[str, ...]:
        """What differs from a stored key of as many turns, in words; of another row's, the manner of asking alone. Empty: nothing.

        Seeds and samples are named without their values: those differ from row to row.
        """
        said = []
        for name in ("model", "temperature", "top_p", "max_tokens"):
            old, new = getattr(stored, name), getattr(self, name)
            if old != new:
                said.append(f"{name} {old} → {new}")
        own = ("seed", "sample") if stored.row == self.row else ()
        said += [name for name in ("schema", *own) if getattr(stored, name) != getattr(self, name)]
        moved = [place for place, turns in enumerate(zip(stored.turns, self.turns, strict=True)) if turns[0] != turns[1]]
        if stored.prompt_hash != self.prompt_hash and moved:
            said.append("the prompt's text")
        elif own and moved and moved[-1] == len(self.turns) - 1:
            said.append("what the prompt was filled with")
        if own and moved and moved[0] < len(self.turns) - 1:
            said.append("the turns before")
        return tuple(said)

    def may_lead_to(self, other: KeyParts) -> bool:
        """Whether a reply to this request may be followed by the other one: another try, or a later turn, of the same row."""
        asked = [(each.row, each.model, each.temperature, each.top_p, each.max_tokens) for each in (self, other)]
        return asked[0] == asked[1]

    @property
    def manner(self) -> tuple[object, ...]:
        """How it was asked, whatever for."""
        return self.model, self.temperature, self.top_p, self.max_tokens, self.schema, len(self.turns), self.prompt_hash


Relation = Literal["same row", "first turn only", "another row", "too old", "none", "lost"]


@dataclass(frozen=True, slots=True)
class Nearest:
    """The stored key that a missing one comes closest to, and what differs.

    `first turn only`: of the same row just the turn before is stored. `another row`: nothing was stored for this row. `too old`: there are
    replies whose parts were not kept yet, so that none of them can be said to be of this row. `none`: nothing of the stage is stored.
    `lost`: the key itself was stored once.
    """

    relation: Relation
    differs: tuple[str, ...] = ()
    key: str | None = None


class Neighbours:
    """The stored keys of one discipline's stage, to find the one that a missing key comes closest to."""

    def __init__(self, stored: Iterable[tuple[str, KeyParts | None]]) -> None:
        """Of (request_key, parts), the newest first; parts are None where they were not kept yet."""
        self._by_row: dict[str, list[tuple[str, KeyParts]]] = {}
        self._by_manner: dict[tuple[object, ...], tuple[str, KeyParts]] = {}
        self._old = False
        for key, parts in stored:
            if parts is None:
                self._old = True
            else:
                self._by_row.setdefault(parts.row, []).append((key, parts))
                self._by_manner.setdefault(parts.manner, (key, parts))

    def nearest(self, asked: KeyParts) -> Nearest:
        """Of the same row first, then with the fewest parts that differ, then the newest."""
        turns = len(asked.turns)
        of_row = self._by_row.get(asked.row, [])
        own = [each for each in of_row if len(each[1].turns) == turns]
        if not own and any(len(parts.turns) < turns for _, parts in of_row):
            return Nearest("first turn only")
        if not own and self._old:
            return Nearest("too old")
        likely = own or [each for each in self._by_manner.values() if len(each[1].turns) == turns]
        if not likely:
            return Nearest("none")
        key, differs = min(((key, asked.differences(parts)) for key, parts in likely), key=lambda each: len(each[1]))
        return Nearest("same row" if own else "another row", differs, key)


def _name(text: str) -> str:
    return text if len(text) <= LONGEST_NAME and _PLAIN(text) else _short(text)


@lru_cache(maxsize=64)
def _schema(text: str) -> str:
    return _short(canonical(json.loads(text)))


def _short(text: str) -> str:
    # A checksum will do: it is compared within one row's few neighbours, and is four times as fast as a hash.
    return f"{zlib.crc32(text.encode('utf-8', 'surrogatepass')):08x}"
