"""`gland prune`: what removed disciplines and older settings have left behind, shown, and taken away when told to."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, nullcontext
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from gland_assets.cli import render
from gland_assets.cli.places import Places, places
from gland_assets.cli.summary import shown_path
from gland_assets.core.errors import WarehouseBusy

if TYPE_CHECKING:
    from gland_assets.core.project import Project
    from gland_assets.io.pruning import Leftover, Replies


def prune(
    context: typer.Context,
    responses: Annotated[
        bool, typer.Option("--responses", help="Stored replies too that nothing asks for any more: they were paid for.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove it. Without this, nothing is removed.")] = False,
) -> None:
    """List what nothing in the taxonomy stands on any more, and remove it with --yes."""
    from gland_assets.io.pruning import leftovers, own_store, refuse_running, remove

    here = places(context)
    project = here.project()
    if responses:
        own_store(project, here.warehouse)
    if yes:
        refuse_running(here.warehouse)
    left, indexed = leftovers(project, here.warehouse), _indexed(project, here)
    _show_left(left, indexed)
    if yes:
        for each in left:
            remove(here.warehouse, each)
        _drop(here, list(indexed))
    replies = _replies(project, here, responses, yes)
    if not left and not indexed and not replies:
        render.say("Nothing to prune: everything in the warehouse belongs to the taxonomy as it is.")
    elif yes:
        _told(here, left, replies if responses else [])
    elif left or indexed or responses:
        render.say(f"Nothing has been removed: `gland prune{' --responses' if responses else ''} --yes` does it.")


def _indexed(project: Project, here: Places) -> dict[str, int]:
    """Removed discipline -> its rows in the index of near duplicates."""
    from gland_assets.io.minhash import indexed_rows

    try:
        return {slug: rows for slug, rows in indexed_rows(here.warehouse).items() if slug not in project.index()}
    except WarehouseBusy as busy:
        render.remark(f"the index of near duplicates is left to the next build: {busy}")
        return {}


def _drop(here: Places, slugs: Sequence[str]) -> None:
    from gland_assets.io.minhash import drop_from_index

    if slugs:
        try:
            drop_from_index(here.warehouse, slugs)
        except WarehouseBusy as busy:
            render.remark(f"the index of near duplicates is left to the next build: {busy}")


def _replies(project: Project, here: Places, responses: bool, yes: bool) -> list[Replies]:
    """The replies that nothing asks for, shown; with both options removed too, each discipline's while it is held."""
    from gland_assets.io.ledger import Ledger
    from gland_assets.io.pruning import Unreferenced, forget, held, own_store

    if project.store_path is not None:
        return []
    found: list[Replies] = []
    with closing(own_store(project, here.warehouse)) as store, closing(Ledger(here.warehouse)) as ledger:
        unreferenced = Unreferenced(project, here.warehouse, store)
        for each in unreferenced.of_removed():
            found.append(each)
            if responses and yes:
                with held(here.warehouse, each.discipline, for_good=True):
                    forget(ledger, store, each)
        for slug in unreferenced.disciplines() if responses else ():
            with held(here.warehouse, slug) if yes else nullcontext():
                if one := unreferenced.superseded_in(slug):
                    found.append(one)
                    if yes:
                        forget(ledger, store, one)
        if found and responses and yes:
            ledger.sync()
    _show_replies(found, unreferenced.kept, responses)
    return found


def _show_left(left: Sequence[Leftover], indexed: dict[str, int]) -> None:
    slugs = sorted({*(each.discipline for each in left), *indexed})
    if not slugs:
        return
    files = {each.discipline: each for each in left}
    render.say("Left behind by disciplines no longer in the taxonomy:")
    render.say()
    names = ["files", "size", "index rows"]
    table = render.headed(["  discipline", *names], right=names)
    for slug in slugs:
        one = files.get(slug)
        table.add_row(f"  {slug}", f"{len(one.files) if one else 0:,}", render.size(one.bytes if one else 0), f"{indexed.get(slug, 0):,}")
    if len(slugs) > 1:
        count, size = sum(len(each.files) for each in left), sum(each.bytes for each in left)
        table.add_row("  all", f"{count:,}", render.size(size), f"{sum(indexed.values()):,}")
    render.put(table)
    render.say()


def _show_replies(found: Sequence[Replies], kept: Sequence[str], asked: bool) -> None:
    if found:
        render.say("Stored replies that nothing asks for:" if asked else "Stored replies of disciplines no longer in the taxonomy:")
        render.say()
        names = ["replies", "size", "cost"]
        table = render.headed(["  discipline", *names, "because"], right=names)
        for each in found:
            because = "it has left the taxonomy" if each.left else "made anew with other settings"
            table.add_row(f"  {each.discipline}", f"{len(each.keys):,}", render.size(each.bytes), cost([each]), because)
        if len(found) > 1:
            count, size = sum(len(each.keys) for each in found), sum(each.bytes for each in found)
            table.add_row("  all", f"{count:,}", render.size(size), cost(found), "")
        render.put(table)
        render.say()
    if kept:
        which = f"{render.several(len(kept), 'discipline')} not up to date: {render.some(kept)}"
        render.say(f"All replies are kept of {which}; build first.")
        render.say()
    if found and not asked:
        render.say("They were paid for, and stay unless --responses is given, which also looks for what older settings have left.")
        render.say()


def cost(found: Sequence[Replies]) -> str:
    """What replies cost; what is unpriced is said."""
    usd, unpriced = sum((each.usd for each in found), Decimal(0)), sum(each.unpriced for each in found)
    if unpriced == sum(len(each.keys) for each in found):
        return "price unknown"
    return render.money(usd) + (f" and {unpriced:,} of unknown price" if unpriced else "")


def _told(here: Places, left: Sequence[Leftover], replies: Sequence[Replies]) -> None:
    parts = []
    if left:
        parts.append(render.several(sum(len(each.files) for each in left), "file"))
    if replies:
        parts.append(render.several(sum(len(each.keys) for each in replies), "reply", "replies"))
    if parts:
        render.say(f"Removed {' and '.join(parts)}. What they cost stays in the ledger.")
    if replies:
        path = shown_path(here.warehouse / "responses.sqlite")
        render.say(f"{path} keeps its size, and new replies go where these were. To give the room back to the disk, while no build")
        render.say(f"runs and as much again is free: sqlite3 {path} vacuum")
