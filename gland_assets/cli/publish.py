"""`gland publish`: gland.duckdb brought up to date now, with near duplicates counted anew where they have to be."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import typer

from gland_assets.cli import render
from gland_assets.cli.places import Places, places
from gland_assets.cli.summary import shown_path
from gland_assets.core.errors import WarehouseBusy

if TYPE_CHECKING:
    from pathlib import Path

    from gland_assets.core.project import Project
    from gland_assets.io.warehouse import Published


def publish(context: typer.Context) -> None:
    """Bring gland.duckdb up to date now, without asking any model."""
    here = places(context)
    told(here, bring_up(here.project(), here.warehouse))


def bring_up(project: Project, warehouse: Path) -> Published:
    """The ledger's exports, duplicates, live views and gland.duckdb brought up to date.

    Raises WarehouseBusy when another process holds gland.duckdb.
    """
    from gland_assets.io.durable import sweep
    from gland_assets.io.ledger import Ledger
    from gland_assets.io.live import write_live
    from gland_assets.io.minhash import compute_duplicates, update_index
    from gland_assets.io.partitions import Partitions
    from gland_assets.io.references import sign_references
    from gland_assets.io.warehouse import publish as publish_now

    sweep(warehouse)
    with closing(Ledger(warehouse)) as ledger:
        if ledger.exists():
            ledger.sync()
    sign_references(project, Partitions(warehouse))
    compute_duplicates(project, Partitions(warehouse))
    try:
        update_index(project, warehouse)
    except WarehouseBusy as busy:  # somebody reads the index; what is kept does not depend on it
        render.remark(f"the index of near duplicates stays as it was: {busy}")
    write_live(project, warehouse)
    return publish_now(project, warehouse)


def told(here: Places, published: Published) -> None:
    """Say what was published, and where."""
    pairs = here.warehouse / "gland.duckdb"
    if published.skipped:
        render.say(f"{shown_path(pairs)} was up to date already.")
        return
    parts = [f"{render.several(len(published.changed), 'discipline')} brought in"] if published.changed else []
    if published.removed:
        parts.append(f"{render.several(len(published.removed), 'discipline')} taken out")
    parts = parts or ["the records of builds and requests brought in"]
    render.say(f"{shown_path(pairs)} is up to date: {', '.join(parts)}.")
