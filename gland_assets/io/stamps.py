"""What stands in a warehouse's files, part by part and by stamp, and what of it differs from what was published."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gland_assets.core.hashing import digest
from gland_assets.core.project import Project
from gland_assets.io.layout import LAYOUT
from gland_assets.io.partitions import ALL, Partitions
from gland_assets.io.parts import GENERATED, ledger_empty, ledger_table, taxonomy_table
from gland_assets.io.stored_schemas import LEDGER

Recorded = Mapping[tuple[str, str], str]
"""(kind, name) -> stamp, as gland.duckdb remembers what was published."""


@dataclass(frozen=True, slots=True)
class Stamps:
    """What stands in the files, each part by a stamp that differs at every write; `unreadable` parts stay as last published."""

    disciplines: Mapping[str, str]
    ledger: Mapping[str, str]  # file name -> stamp
    duplicates: str | None  # None: unreadable
    taxonomy: str
    unreadable: frozenset[str]  # disciplines

    def parts(self) -> dict[tuple[str, str], str]:
        """(kind, name) -> stamp, as recorded in the file."""
        return (
            {("discipline", name): stamp for name, stamp in self.disciplines.items()}
            | {("ledger", name): stamp for name, stamp in self.ledger.items()}
            | {("duplicates", ALL): self.duplicates or "", ("taxonomy", ALL): self.taxonomy, ("layout", ALL): LAYOUT}
        )  # fmt: skip


def read_stamps(project: Project, warehouse: Path) -> Stamps:
    """The stamps of everything that stands now, from file footers alone."""
    partitions = Partitions(warehouse)
    metas = partitions.metas()
    unreadable = frozenset(discipline for asset, discipline in partitions.damaged if asset != "duplicates")
    disciplines = {}
    for slug in project.index():
        stamp = {asset: metas[asset, slug].stamp for asset in GENERATED if (asset, slug) in metas}
        if stamp and slug not in unreadable:
            disciplines[slug] = digest(stamp)
    found = metas.get(("duplicates", ALL))
    duplicates = None if ("duplicates", ALL) in partitions.damaged else found.stamp if found else ""
    taxonomy = digest(taxonomy_table(project).to_pylist())
    return Stamps(disciplines, _ledger_stamps(warehouse), duplicates, taxonomy, unreadable)


def _ledger_stamps(warehouse: Path) -> dict[str, str]:
    found = {}
    for path in sorted((warehouse / "ledger").glob("*.parquet")):
        if (name := ledger_table(path)) in LEDGER and path != ledger_empty(warehouse, name):
            with suppress(FileNotFoundError):  # the ledger drops a file it no longer needs
                state = path.stat()
                found[path.name] = f"{state.st_size} {state.st_mtime_ns} {state.st_ino}"
    return found


@dataclass(frozen=True, slots=True)
class Pending:
    """What has to be published: disciplines whose rows are replaced, and disciplines whose rows drop out."""

    changed: tuple[str, ...]
    removed: tuple[str, ...]


def differences(recorded: Recorded, stamps: Stamps) -> Pending | None:
    """What has to be published so that `recorded` would say what stands; None when it does."""
    wanted = stamps.parts()
    published = {name: stamp for (kind, name), stamp in recorded.items() if kind == "discipline"}
    changed = tuple(name for name, stamp in stamps.disciplines.items() if published.get(name) != stamp)
    removed = tuple(sorted(published.keys() - stamps.disciplines.keys() - stamps.unreadable))
    others = {part: stamp for part, stamp in wanted.items() if part[0] != "discipline"}
    if changed or removed or others != {part: stamp for part, stamp in recorded.items() if part[0] != "discipline"}:
        return Pending(changed, removed)
    return None
