"""The table of `responses.sqlite`: a row a reply, with what it was asked for.

A text stands deflated, as a blob of zlib's format, whose checksum tells a damaged one; where that is not shorter, and in rows older than
layout 3, it stands as it is. Both are read everywhere, so an older file is brought up without writing a row anew.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from gland_assets.core.key_parts import KeyParts
from gland_assets.core.requests import Reply, Request

LAYOUT = 3
DDL = """create table if not exists responses(
  request_key text not null unique, text text not null, finish_reason text not null, deployment text not null, model text not null,
  prompt_tokens integer not null, cached_tokens integer not null, completion_tokens integer not null,
  usd text, latency_s real not null, attempts integer not null, build_id text not null, sent_at text not null,
  stage text not null, discipline text not null, prompt_hash text not null, parts text, size integer);
create index if not exists asked on responses(discipline, stage)"""
UPGRADES = {2: "alter table responses add column parts text", 3: "alter table responses add column size integer"}
COLUMNS = (
    "request_key", "text", "finish_reason", "deployment", "model", "prompt_tokens", "cached_tokens", "completion_tokens", "usd",
    "latency_s", "attempts", "build_id", "sent_at",
)  # fmt: skip
ASKED = ("stage", "discipline", "prompt_hash", "parts")
"""What the request was; `parts`, of its key, is null in rows older than layout 2."""

SIZE = "size"
"""Bytes of the text as it came; null in rows older than layout 3."""

LEVEL = 3  # zlib's: 1 saves 3 % less, 6 costs half as much again for 4 % more

_WRITTEN = (*COLUMNS, *ASKED, SIZE)
INSERT = f"insert into responses({', '.join(_WRITTEN)}) values ({', '.join('?' * len(_WRITTEN))}) on conflict(request_key) do nothing"
KEPT_BYTES = "case typeof(text) when 'blob' then length(text) else length(cast(text as blob)) end"
"""Room that a row's text takes; of a blob, SQLite knows it without reading it."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored reply, and what it was asked for. `parts` is None when it was stored before they were kept."""

    reply: Reply
    stage: str
    discipline: str
    parts: KeyParts | None


def kept(text: bytes) -> bytes | str:
    """What stands for a text in UTF-8: deflated, or itself where that is not shorter."""
    packed = zlib.compress(text, LEVEL)
    return packed if len(packed) < len(text) else text.decode()


def text_of(kept: bytes | str) -> str:
    """The text that `kept` stands for. Raises ValueError when it is damaged."""
    if isinstance(kept, str):
        return kept
    try:
        return zlib.decompress(kept).decode()
    except zlib.error as error:
        raise ValueError(f"its text cannot be inflated: {error}") from None


def row_of(reply: Reply, request: Request, identity: str) -> tuple[Any, ...]:
    """The values that INSERT takes, but for the text in UTF-8 as it came. Raises UnicodeEncodeError when it is no Unicode."""
    text = reply.text.encode()
    return (
        reply.request_key, text, reply.finish_reason, reply.deployment, reply.model, reply.prompt_tokens,
        reply.cached_tokens, reply.completion_tokens, None if reply.usd is None else f"{reply.usd:f}", reply.latency_s, reply.attempts,
        reply.build_id, reply.sent_at.astimezone(UTC).isoformat(), request.stage, request.discipline, request.prompt_hash,
        KeyParts.of(request, identity).packed(), len(text),
    )  # fmt: skip


def reply_of(row: Sequence[Any]) -> Reply:
    """The reply in the values of COLUMNS. Raises ValueError, TypeError and ArithmeticError when they are damaged."""
    return Reply(
        row[0], text_of(row[1]), row[2], row[3], row[4], row[5], row[6], row[7], None if row[8] is None else Decimal(row[8]),
        row[9], row[10], row[11], datetime.fromisoformat(row[12]), reused=True,
    )  # fmt: skip


def stored_of(row: Sequence[Any]) -> Stored:
    """The reply and its request in the values of COLUMNS and ASKED. Raises as `reply_of`."""
    stage, discipline, prompt_hash, parts = row[len(COLUMNS) : len(COLUMNS) + len(ASKED)]
    return Stored(reply_of(row), stage, discipline, parts_of(parts, prompt_hash))


def parts_of(packed: str | None, prompt_hash: str) -> KeyParts | None:
    """The parts of a row's key, where they are kept. Raises ValueError and TypeError when they are damaged."""
    return None if packed is None else KeyParts.unpacked(packed, prompt_hash)
