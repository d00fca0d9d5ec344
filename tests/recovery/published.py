"""What a published dataset holds, apart from what differs from build to build."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb

from gland_assets.core.tables import TABLES, VIEWS

VARYING = {"usd", "build_id", "latency_s", "attempts", "built_at", "made_at", "sent_at", "failed_at"}
"""Columns that tell what a row cost, and when and by which build it was made."""


def digests(folder: Path) -> dict[str, tuple[int, str]]:
    """Table -> how many rows it holds and the sha256 of them in order, for the dataset and every table but `builds`."""
    with duckdb.connect(str(folder / "warehouse" / "gland.duckdb"), read_only=True) as connection:
        found = {}
        for table in (*VIEWS.values(), *TABLES.values()):
            if table.name != "builds":
                columns = ", ".join(name for name in table.column_names if name not in VARYING)
                rows = connection.execute(f"select {columns} from {table.name} order by all").fetchall()
                found[table.name] = (len(rows), hashlib.sha256(repr(rows).encode()).hexdigest())
        return found
