"""`gland build`: bring what is out of date up to date, showing how it goes, and say what was done."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from gland_assets.cli import caps, consent, estimates, render, summary
from gland_assets.cli.counting import Counts
from gland_assets.cli.places import OnlyThese, Places, RetryFailures, known, places
from gland_assets.cli.progress import Board
from gland_assets.cli.publish import bring_up, told
from gland_assets.cli.stopping import Stopping
from gland_assets.core.errors import BudgetReached, SettingsError, Stopped, WarehouseBusy
from gland_assets.core.plan import PartitionPlan, Plan, make_plan
from gland_assets.core.project import STAGES

if TYPE_CHECKING:
    from gland_assets.assets.build import BuildResult
    from gland_assets.core.project import Project


def build(
    context: typer.Context,
    discipline: OnlyThese = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, help="Processes; by default as many as are worthwhile.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option("--budget", metavar="USD", min=0, help="Stop before this build has spent more.", show_default=False)
    ] = None,
    retry_failures: RetryFailures = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before spending money or much time.")] = False,
) -> None:
    """Bring the dataset up to date: only what has changed is made, and what was paid for is not paid for again."""
    from gland_assets.io.budget import caps_of, check_prices
    from gland_assets.io.foresight import foresee
    from gland_assets.io.partitions import Partitions
    from gland_assets.io.project import check_environment

    here = places(context)
    project = here.project()
    _restored(here)
    found = make_plan(project, Partitions(here.warehouse).metas(), known(project, discipline or ()), retry_failures)
    late = found.out_of_date()
    if not late:
        _nothing_to_do(project, here, discipline or (), found.duplicates)
        return
    estimate = foresee(project, here.warehouse, found)
    if estimate.all.calls and (missing := check_environment(project, os.environ)):
        raise SettingsError(missing)
    render.say(f"{render.several(len(late), 'discipline')} to bring up to date. {estimates.in_words(estimate)}")
    if estimate.all.calls and any(project.preferred(project.discipline(slug), stage).local for slug in late for stage in STAGES):
        render.say("The bundled local model is asked: what it writes is of demonstration quality, not for training.")
    cap = None if budget is None else Decimal(str(budget))
    check_prices(project, caps_of(project, cap), late)
    for line in caps.in_words(project, here.warehouse, estimate, cap):
        render.say(line)
    if not yes:
        consent.ask(estimate)
    counts = Counts(late, estimate.portions, estimate.seconds)
    result = _run(project, here, found, workers, cap, counts)
    summary.done(here, counts, result)
    summary.leaks(project, here)
    summary.failures(project, here, counts, result)
    if counts.failed:
        render.say("The next build asks again for rows that no provider answered, `gland build --retry-failures` for all of them.")
        raise typer.Exit(1)


def _restored(here: Places) -> None:
    """Make the ledger again if it is gone, and say so."""
    from gland_assets.io.ledger import Ledger

    with closing(Ledger(here.warehouse)) as ledger:
        if count := ledger.restore():
            render.remark(f"{summary.shown_path(ledger.path)} was gone: {render.several(count, 'paid request')} put back on record.")


def _nothing_to_do(project: Project, here: Places, asked: Sequence[str], duplicates: PartitionPlan) -> None:
    which = "the whole taxonomy is" if not asked else f"{', '.join(asked)} {'is' if len(asked) == 1 else 'are'}"
    again = duplicates.state == "stale"
    render.say(f"Nothing to {'ask for' if again else 'do'}: {which} up to date. No model was asked.")
    try:
        published = bring_up(project, here.warehouse)
    except WarehouseBusy as busy:
        render.say(f"Not published: {busy}")
    else:
        if published.changed or published.removed:
            told(here, published)
        if again:
            left_out = render.several(published.rows["duplicates"], "question")
            render.say(f"Duplicates looked for again ({'; '.join(duplicates.because)}): {left_out} left out.")


def _run(project: Project, here: Places, found: Plan, workers: int | None, cap: Decimal | None, counts: Counts) -> BuildResult:
    with Stopping() as stop:
        board = Board(counts, stop, caps.Used(project, here.warehouse, cap))
        try:
            with board.shown():
                from gland_assets.assets.build import run_build  # over a second, so the board stands first

                if stop():
                    raise Stopped
                return run_build(project, here.warehouse, found, workers, cap, board.on_event, stop)
        except BudgetReached:
            summary.stopped(counts)
            raise
        except Stopped:
            summary.stopped(counts)
            raise Stopped("stopped; everything paid for is kept. `gland build` goes on from here.") from None
