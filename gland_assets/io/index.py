"""An index over the partition files: what each says of itself, so that only the footers of files that have changed are read again.

A file counts as unchanged while its inode, its size and its times are as they were. The time of its last change is set by the system
alone, and whatever replaces a file is another inode while the old one still stands. But inodes are used again, and times have a grain: so
a file is taken in only if it was older than the file system's own clock before it was looked at. Any later change then shows.

The index holds nothing of its own. Missing, damaged, of another layout, or where nobody may write, it costs time alone.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from gland_assets.core.errors import WarehouseError
from gland_assets.core.state import PartitionMeta
from gland_assets.io.durable import replacing

LAYOUT = b"gland partitions 1 "

Marks = list[int]  # inode, size, times: what the system says of a file
Entries = dict[str, dict[str, tuple[Marks, PartitionMeta]]]  # by asset and discipline

_latest: tuple[Path, Entries] | None = None
"""The index that this process has last had in hand: it is asked for several times in one command, and by the daemon every half minute."""


class Index:
    """The index in the file at `path`, as one reader of all partitions finds it, mends it and leaves it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = _latest[1] if _latest and _latest[0] == path else _load(path)
        self._standing: Entries = {}
        self._news = False

    def meta(self, asset: str, discipline: str, state: os.stat_result) -> PartitionMeta | None:
        """What the file of which the system tells `state` says of itself; None when that has to be read from it."""
        entry = self._known.get(asset, {}).get(discipline)
        if entry is None or entry[0] != _marks(state):
            return None
        self._standing.setdefault(asset, {})[discipline] = entry
        return entry[1]

    def keep(self, asset: str, discipline: str, state: os.stat_result, clock: int, meta: PartitionMeta) -> None:
        """Take in what a file said after the system told its `state`, which was after `clock`; not if it could yet change unseen."""
        if state.st_ctime_ns < clock:
            self._standing.setdefault(asset, {})[discipline] = (_marks(state), meta)
            self._news = True

    def save(self) -> None:
        """Keep all that was met for the next, and write it down if any of it is new."""
        global _latest
        _latest = (self._path, self._standing)
        if self._news:
            plain = {asset: {name: (marks, meta.plain()) for name, (marks, meta) in of.items()} for asset, of in self._standing.items()}
            body = json.dumps(plain, separators=(",", ":")).encode()
            with suppress(WarehouseError), replacing(self._path) as file:
                file.writelines((LAYOUT, _check(body), b"\n", body))


def clock(folder: Path) -> int:
    """The file system's time, in ns: the one that a file in `folder` would bear that is changed now. 0 where nobody may write."""
    from tempfile import TemporaryFile

    with suppress(OSError), TemporaryFile(dir=folder) as file:
        return os.fstat(file.fileno()).st_ctime_ns
    return 0


def _load(path: Path) -> Entries:
    with suppress(OSError, ValueError, TypeError):
        head, _, body = path.read_bytes().partition(b"\n")
        if head == LAYOUT + _check(body):
            plain = json.loads(body)
            return {asset: {name: (marks, PartitionMeta.of(said)) for name, (marks, said) in of.items()} for asset, of in plain.items()}
    return {}


def _check(body: bytes) -> bytes:
    return blake2b(body, digest_size=16).hexdigest().encode()


def _marks(state: os.stat_result) -> Marks:
    return [state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns]
