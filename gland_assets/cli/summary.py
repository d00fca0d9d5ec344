"""What a build has done, once it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from gland_assets.cli import render
from gland_assets.cli.answering import NAME
from gland_assets.cli.counting import SHOWN_LEVELS, Counts, short_cost
from gland_assets.cli.places import Places
from gland_assets.core.progress import Count

if TYPE_CHECKING:
    from gland_assets.assets.build import BuildResult
    from gland_assets.core.project import Project

CAUSES = 5  # shown; the rest is in the table `failures`


def done(here: Places, counts: Counts, result: BuildResult) -> None:
    """Rows, calls, cost, time, and where it all stands."""
    render.say(f"{render.several(len(result.disciplines), 'discipline')} brought up to date in {render.duration(counts.elapsed)}.")
    _sums(counts)
    path = shown_path(here.warehouse / "gland.duckdb")
    if result.busy:
        render.say(f"Not published: {result.busy}")
    elif counts.published:
        render.say(f"{path} holds {render.several(counts.published.rows, 'kept pair')}.")


def leaks(project: Project, here: Places) -> None:
    """Which declared benchmark sets pairs repeat, and how much of each; those of which much is repeated as such."""
    if not project.decontaminate:
        return
    from gland_assets.cli.sql import connect

    with closing(connect(project, here)) as connection:
        rows = connection.execute("from contamination_sets where discipline is null order by share desc, benchmark, split").fetchall()
    leaked = [row for row in rows if row[4]]
    for benchmark, split, _, items, repeated, pairs, share, flagged in leaked:
        named = " ".join(filter(None, [benchmark, split]))
        render.say(
            f"{named}: {repeated:,} of {render.several(items, 'item')} ({share:.1%}) repeated by {render.several(pairs, 'pair')}, which "
            f"{'are' if pairs > 1 else 'is'} dropped{'; that is over 2 %: see `gland sql 8`' if flagged else ''}."
        )
    if clean := len(rows) - len(leaked):
        render.say(f"No pair repeats an item of {render.several(clean, 'other benchmark set' if leaked else 'benchmark set')}.")


def stopped(counts: Counts) -> None:
    """What had been done when the build was stopped."""
    if counts.stages or counts.rows:
        render.say(f"{counts.done:,} of {render.several(counts.disciplines, 'discipline')} done in {render.duration(counts.elapsed)}.")
        _sums(counts)


def _sums(counts: Counts) -> None:
    render.say()
    table = render.headed(["  level", "rows", "failed"], right=["rows", "failed"])
    for name in SHOWN_LEVELS:
        level = counts.levels[name]
        if level.done or level.coming:
            table.add_row(f"  {name}", f"{level.rows:,}", Text(f"{level.failed:,}" if level.failed else "", "red"))
    if table.row_count:
        render.put(table)
        render.say()
    if not counts.stages:
        render.say("  No model was asked.")
        render.say()
        return
    stages = {name: counts.stages[name] for name in SHOWN_LEVELS if name in counts.stages}
    for what, parts in (("stage", {**stages, "all": counts.all}), ("deployment", counts.deployments)):
        if parts:
            render.put(_replies(what, parts))
            render.say()


def _replies(what: str, parts: Mapping[str, Count]) -> Table:
    """What became of the requests, by stage or by deployment."""
    names = ["calls", "from the store", "rejected", "429s", "retries", "tokens", "cost"]
    table = render.headed([f"  {what}", *names], right=names)
    for name, part in parts.items():
        numbers = (part.calls, part.reused, part.rejected, part.limited, part.retried)
        table.add_row(f"  {render.cut(name, NAME)}", *(f"{number:,}" for number in numbers), render.tokens(part.tokens), short_cost(part))
    return table


def failures(project: Project, here: Places, counts: Counts, result: BuildResult) -> None:
    """The causes of the rows that failed in this build, the most frequent first."""
    if not counts.failed:
        return
    from gland_assets.cli.sql import connect
    from gland_assets.io.sql import query

    with closing(connect(project, here)) as connection:
        found = connection.execute(query("show/causes"), [result.build_id]).fetchall()
    render.say(f"{render.several(counts.failed, 'row')} failed; the rest stands:")
    table = render.columns(0)
    for stage, cause, count, detail in found[:CAUSES]:
        table.add_row(f"  {count:,}", stage, cause, Text(render.cut(detail or "", 100), "dim"))
    render.put(table)
    if len(found) > CAUSES:
        render.say(f'  and {render.several(len(found) - CAUSES, "other cause")}; `gland sql "from failures"` lists every row')


def shown_path(path: Path) -> str:
    """A path as one would write it from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
