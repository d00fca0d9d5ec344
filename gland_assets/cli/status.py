"""`gland status`: how far each discipline has come, what it has cost, and when it was last built."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from gland_assets.cli import estimates, render
from gland_assets.cli.places import Places, places
from gland_assets.cli.prune import cost
from gland_assets.core.levels import GENERATED
from gland_assets.core.plan import Plan, make_plan

if TYPE_CHECKING:
    from gland_assets.core.project import Project
    from gland_assets.core.state import PartitionMeta
    from gland_assets.io.pruning import Leftover, Replies

NARROWER = ((), ("last built",), ("last built", "subjects", "syllabi"), ("last built", "subjects", "syllabi", "questions", "state"))
"""Columns that are left out, the more the narrower the terminal is."""

Metas = Mapping[tuple[str, str], "PartitionMeta"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How far one discipline has come."""

    slug: str
    state: str  # missing, stale or built
    rows: Mapping[str, tuple[int, int] | None]  # level -> rows that stand and failed ones; None: not made
    kept: int  # pairs that are in the dataset
    calls: int  # paid, in all builds
    usd: Decimal | None  # None: some price is unknown
    built_at: datetime | None

    @property
    def failed(self) -> int:
        """Failed rows over all levels."""
        return sum(found[1] for found in self.rows.values() if found)


def status(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show, per discipline: rows at each level, state, cost, last build."""
    from gland_assets.io.partitions import Partitions

    here = places(context)
    project = here.project()
    partitions = Partitions(here.warehouse)
    metas = partitions.metas()
    kept, last = _published(project, here)
    standings = _standings(project, here, metas, kept)
    behind = _left_behind(project, here)
    if as_json:
        print(json.dumps(_as_json(standings, last, behind) | _given(metas), ensure_ascii=False, indent=1, default=str))
        return
    for fault in partitions.damaged.values():
        render.remark(f"{fault}")
    _show(project, standings, last)
    _show_imported(metas)
    _show_left_behind(behind)


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """What disciplines that have left the taxonomy left behind. `replies` is None where the response store is shared with others."""

    left: Sequence[Leftover]
    replies: Sequence[Replies] | None


def _left_behind(project: Project, here: Places) -> LeftBehind:
    """Only what a look at names tells: what older settings have left in the store takes a walk, which is for `gland prune --responses`."""
    from gland_assets.io.pruning import Unreferenced, leftovers, own_store

    left = leftovers(project, here.warehouse)
    if project.store_path is not None:
        return LeftBehind(left, None)
    with closing(own_store(project, here.warehouse)) as store:
        return LeftBehind(left, Unreferenced(project, here.warehouse, store).of_removed())


def _given(metas: Metas) -> dict[str, dict[str, int]]:
    """What was imported, as rows of disciplines and as references, by name."""
    return {given: {name: meta.rows for (asset, name), meta in metas.items() if asset == given} for given in ("imported", "references")}


def _show_imported(metas: Metas) -> None:
    given = _given(metas)
    for name, what in (("imported", "imported"), ("references", "to be compared with")):
        if given[name]:
            listed = render.some([f"{each} {rows:,}" for each, rows in given[name].items()])
            render.say(f"Rows {what}: {listed}; `gland import` says from where")


def _show_left_behind(behind: LeftBehind) -> None:
    if behind.left:
        slugs, files = [each.discipline for each in behind.left], sum(len(each.files) for each in behind.left)
        size = render.size(sum(each.bytes for each in behind.left))
        render.say(f"No longer in the taxonomy: {render.some(slugs)}; {render.several(files, 'file')}, {size}; `gland prune` lists them")
    if behind.replies:
        count, size = sum(len(each.keys) for each in behind.replies), render.size(sum(each.bytes for each in behind.replies))
        many = render.several(count, "stored reply", "stored replies")
        render.say(
            f"{many} for disciplines no longer in the taxonomy, {size}, {cost(behind.replies)}; `gland prune --responses` lists them"
        )


def _published(project: Project, here: Places) -> tuple[dict[str, int], dict[str, Any] | None]:
    """Kept pairs by discipline, and the latest build, from the live views."""
    if not here.warehouse.is_dir():
        return {}, None
    from gland_assets.cli.sql import connect
    from gland_assets.io.live import steady

    counted = "select discipline, count(*) from questions where status = 'kept' group by all"
    with closing(connect(project, here)) as connection:
        kept = steady(lambda: connection.execute(counted)).fetchall()
        builds = connection.execute("from builds order by started_at desc limit 1")
        names, row = [column[0] for column in builds.description], builds.fetchone()
    return dict(kept), dict(zip(names, row, strict=True)) if row else None


def _standings(project: Project, here: Places, metas: Metas, kept: Mapping[str, int]) -> list[Standing]:
    spent = {}
    if (here.warehouse / "ledger.sqlite").exists():
        from gland_assets.io.ledger import Ledger

        with closing(Ledger(here.warehouse)) as ledger:
            spent = dict(ledger.spent_by_discipline())
    found, standings = make_plan(project, metas), []
    states = _states(found)
    for discipline in project.disciplines():
        slug = discipline.slug
        rows = {level: (meta.rows, meta.failed) if (meta := metas.get((level, slug))) else None for level in GENERATED}
        written = [meta.written_at for level in GENERATED if (meta := metas.get((level, slug))) and meta.written_at]
        paid = spent.get(slug)
        usd = (None if paid.unpriced else paid.usd) if paid else Decimal(0)
        standings.append(Standing(slug, states[slug], rows, kept.get(slug, 0), paid.calls if paid else 0, usd, max(written, default=None)))
    return standings


def _states(found: Plan) -> dict[str, str]:
    """Slug -> missing: nothing generated yet; stale: some level is out of date or not made; built: all of it up to date."""
    by_slug: dict[str, set[str]] = {}
    for part in found.partitions:
        if part.state != "orphan":
            by_slug.setdefault(part.discipline, set()).add("late" if part.state != "fresh" else "fresh")
            if part.asset in GENERATED and part.state != "missing":
                by_slug[part.discipline].add("made")
    return {slug: "missing" if "made" not in seen else "stale" if "late" in seen else "built" for slug, seen in by_slug.items()}


def _totals(standings: list[Standing]) -> Standing:
    rows: dict[str, tuple[int, int] | None] = {}
    for level in GENERATED:
        made = [found for standing in standings if (found := standing.rows[level])]
        rows[level] = (sum(stood for stood, _ in made), sum(failed for _, failed in made))
    known = [standing.usd for standing in standings if standing.usd is not None]
    usd = sum(known, Decimal(0)) if len(known) == len(standings) else None
    built = max((standing.built_at for standing in standings if standing.built_at), default=None)
    return Standing("all", "", rows, sum(s.kept for s in standings), sum(s.calls for s in standings), usd, built)


def _as_json(standings: list[Standing], last: dict[str, Any] | None, behind: LeftBehind) -> dict[str, Any]:
    def one(standing: Standing) -> dict[str, Any]:
        rows = {level: None if found is None else {"rows": found[0], "failed": found[1]} for level, found in standing.rows.items()}
        built_at = standing.built_at.isoformat() if standing.built_at else None
        return {"rows": rows, "kept": standing.kept, "calls": standing.calls, "usd": estimates.number(standing.usd), "built_at": built_at}

    build = last and {
        name: value.isoformat() if isinstance(value, datetime) else float(value) if isinstance(value, Decimal) else value
        for name, value in last.items()
    }
    disciplines = [{"discipline": standing.slug, "state": standing.state, **one(standing)} for standing in standings]
    files = {"disciplines": [each.discipline for each in behind.left], "files": sum(len(each.files) for each in behind.left),
             "bytes": sum(each.bytes for each in behind.left)}  # fmt: skip
    return {
        "disciplines": disciplines, "all": one(_totals(standings)), "last_build": build,
        "left_behind": files, "unreferenced": None if behind.replies is None else _replies_as_json(behind.replies),
    }  # fmt: skip


def _replies_as_json(found: Sequence[Replies]) -> dict[str, Any]:
    known = None if any(each.unpriced for each in found) else sum((each.usd for each in found), Decimal(0))
    return {"disciplines": [each.discipline for each in found], "replies": sum(len(each.keys) for each in found),
            "bytes": sum(each.bytes for each in found), "usd": estimates.number(known)}  # fmt: skip


def _show(project: Project, standings: list[Standing], last: dict[str, Any] | None) -> None:
    made = {standing.slug: standing for standing in standings if standing.state != "missing"}
    if made:
        console = render.out()
        tables = (_table(project, made, _totals(standings), without) for without in NARROWER)
        table = next((each for each in tables if render.measured(console, each) <= console.width), None)
        render.put(table or _table(project, made, _totals(standings), NARROWER[-1]), console)
        render.say()
    missing = [standing.slug for standing in standings if standing.state == "missing"]
    if missing:
        render.say(f"{render.several(len(missing), 'discipline')} not made yet: {render.some(missing)}")
    if last is not None:
        render.say(f"Last build: {_last(last)}")


def _table(project: Project, made: Mapping[str, Standing], totals: Standing, without: Collection[str]) -> Table:
    """A line a discipline that has been made, under its field, and their sum."""
    numbers = [name for name in (*GENERATED, "kept", "failed", "cost") if name not in without]
    names = [name for name in ("discipline", "state", *numbers, "last built") if name not in without]
    table = render.headed(names, right=numbers, whole=names)
    for field in project.fields:
        within = [made[d.slug] for subfield in field.subfields for d in subfield.disciplines if d.slug in made]
        if within:
            table.add_row(Text(field.name, "bold"))
            for standing in within:
                table.add_row(*(_cells(standing, indent="  ")[name] for name in names))
    if len(made) > 1:
        table.add_row(*(_cells(totals)[name] for name in names))
    return table


def _cells(standing: Standing, indent: str = "") -> dict[str, Text | str]:
    style = {"stale": "yellow", "built": "green"}.get(standing.state, "")
    return {
        "discipline": f"{indent}{standing.slug}",
        "state": Text(standing.state, style),
        **{level: f"{found[0]:,}" if found else "–" for level, found in standing.rows.items()},
        "kept": f"{standing.kept:,}",
        "failed": Text(f"{standing.failed:,}" if standing.failed else "", "red"),
        "cost": "unknown" if standing.usd is None else render.money(standing.usd),
        "last built": render.moment(standing.built_at),
    }


def _last(build: Mapping[str, Any]) -> str:
    cost = "price unknown" if build["usd"] is None else render.money(build["usd"])
    said = f"{render.several(build['calls'], 'call')}, {build['reused']:,} from the store, {cost}"
    if build["ended_at"] is None:
        return f"begun {render.ago(build['started_at'])} and not ended (it runs, or was killed); {said}"
    return f"{build['outcome']}, {render.ago(build['ended_at'])}, {said}"
