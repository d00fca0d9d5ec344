"""`gland plan`: what is out of date, why, and what bringing it up to date will take."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from gland_assets.cli import caps, estimates, render
from gland_assets.cli.places import OnlyThese, RetryFailures, known, places
from gland_assets.core.levels import PARTITIONED

if TYPE_CHECKING:
    from gland_assets.core.plan import PartitionPlan, Plan
    from gland_assets.core.project import Project
    from gland_assets.io.foresight import Estimate, Portion

MARKS = {"missing": ("+", "green"), "stale": ("~", "yellow"), "waiting": ("·", "dim"), "orphan": ("-", "red")}
MEANING = {
    "missing": "to be made",
    "stale": "to be made again",
    "waiting": "depends on what lies above",
    "orphan": "no longer in the taxonomy",
}

REASONS = 4  # shown for a level

Levels = tuple[tuple[str, str, tuple[str, ...]], ...]  # (levels, state, because), as they stand together


def plan(
    context: typer.Context,
    discipline: OnlyThese = None,
    retry_failures: RetryFailures = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say what is out of date, why, and how many calls, tokens and dollars it takes."""
    from gland_assets.core.plan import make_plan
    from gland_assets.io.foresight import foresee
    from gland_assets.io.partitions import Partitions

    here = places(context)
    project = here.project()
    partitions = Partitions(here.warehouse)
    found = make_plan(project, partitions.metas(), known(project, discipline or ()), retry_failures)
    estimate = foresee(project, here.warehouse, found)
    if as_json:
        print(json.dumps(_as_json(found, estimate), ensure_ascii=False, indent=1))
        return
    for fault in partitions.damaged.values():
        render.remark(f"{fault}")
    _show(project, found, estimate, caps.in_words(project, here.warehouse, estimate))


def _as_json(found: Plan, estimate: Estimate) -> dict[str, object]:
    parts = [
        {"asset": part.asset, "discipline": part.discipline, "state": part.state, "because": list(part.because)}
        for part in found.partitions
    ]
    return {
        "partitions": parts,
        "duplicates": {"state": found.duplicates.state, "because": list(found.duplicates.because)},
        "disciplines": list(found.out_of_date()),
        "requests": estimates.as_json(estimate.all),
        "by_stage": {name: estimates.as_json(part) for name, part in estimate.by_stage.items()},
        "by_discipline": {slug: estimates.as_json(part) for slug, part in estimate.by_discipline.items()},
        "seconds": estimate.seconds,
        "basis": estimate.basis,
    }


def _show(project: Project, found: Plan, estimate: Estimate, left: Sequence[str]) -> None:
    late = found.out_of_date()
    considered = len({part.discipline for part in found.partitions if part.state != "orphan"})
    if late:
        render.say(f"{len(late):,} of {render.several(considered, 'discipline')} out of date.")
        render.say()
        _show_late(found, late, estimate)
    else:
        everything = f"All {considered:,} disciplines are" if considered != 1 else "The discipline is"
        render.say(f"{everything} up to date: a build would ask no model.")
    if found.duplicates.state == "stale":
        render.put(_marked("stale", f"duplicates, to be looked for again: {_reasons(found.duplicates.because)}"))
    _show_orphans(found)
    if late:
        render.say()
        if estimate.portions:
            render.put(estimates.by_stage(estimate))
            render.say()
        going_by = f"about {render.duration(estimate.seconds)}, going by {estimate.basis}" if estimate.all.calls else "no model is asked"
        render.say(f"  {going_by}", "dim")
        for line in left:
            render.say(f"  {line}", "dim")


def _show_late(found: Plan, late: dict[str, list[str]], estimate: Estimate) -> None:
    """The disciplines out of date, those that are alike together, with what they take."""
    alike: dict[Levels, list[str]] = {}
    parts: dict[str, list[PartitionPlan]] = {}
    for part in found.partitions:
        parts.setdefault(part.discipline, []).append(part)
    for slug in late:
        alike.setdefault(_levels(parts[slug]), []).append(slug)
    for levels, slugs in alike.items():
        name = slugs[0] if len(slugs) == 1 else f"{len(slugs):,} disciplines"
        if len(levels) == 1 and levels[0][0] == "all levels":
            _, state, because = levels[0]
            render.put(_marked(state, f"{name}: {'; '.join(because)}"))
            _names(slugs, estimate.of(slugs))
            continue
        render.put(Text(f"  {name}", "bold"))
        _names(slugs, estimate.of(slugs))
        table = render.columns()
        for assets, state, because in levels:
            table.add_row(_marked(state, assets, indent=4), MEANING[state], Text(_reasons(because), "dim"))
        render.put(table)


def _reasons(because: Sequence[str]) -> str:
    """The first reasons; `--json` gives all."""
    rest = len(because) - REASONS
    return "; ".join(because) if rest <= 1 else "; ".join(because[:REASONS]) + f"; and {rest} more"


def _names(slugs: Sequence[str], takes: Portion) -> None:
    lines = [render.some(slugs)] if len(slugs) > 1 else []
    for line in filter(None, [*lines, estimates.of_disciplines(takes)]):
        render.put(Text(f"    {line}", "dim"))


def _levels(parts: Sequence[PartitionPlan]) -> Levels:
    """The partitions of a discipline that are out of date, neighbours in the same state for the same reason together."""
    together: list[tuple[list[str], str, tuple[str, ...]]] = []
    for part in parts:
        if part.state == "fresh":
            continue
        if together and together[-1][1:] == (part.state, part.because):
            together[-1][0].append(part.asset)
        else:
            together.append(([part.asset], part.state, part.because))
    return tuple(
        ("all levels" if len(assets) == len(PARTITIONED) else ", ".join(assets), state, because) for assets, state, because in together
    )


def _marked(state: str, text: str, indent: int = 2) -> Text:
    mark, style = MARKS[state]
    return Text.assemble(" " * indent, (mark, style), f" {text}")


def _show_orphans(found: Plan) -> None:
    slugs = list(dict.fromkeys(part.discipline for part in found.orphans()))
    if slugs:
        what = f"{render.several(len(slugs), 'discipline')} no longer in the taxonomy, kept on disk and left out of the dataset"
        render.put(_marked("orphan", what))
        render.put(Text(f"    {render.some(slugs)}; `gland prune` lists what they left behind", "dim"))
