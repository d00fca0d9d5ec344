"""`gland validate`: is the taxonomy right, and, with --live, do its deployments answer?"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from gland_assets.cli import render
from gland_assets.cli.places import places
from gland_assets.core.errors import GlandError, SettingsError
from gland_assets.core.project import STAGES

if TYPE_CHECKING:
    from gland_assets.core.project import Price, Project


def validate(
    context: typer.Context,
    live: Annotated[bool, typer.Option("--live", help="Send one tiny request to each deployment; needs keys and network.")] = False,
) -> None:
    """Check the taxonomy and settings; every fault with its line and how to mend it."""
    from gland_assets.io.project import check_environment

    project = places(context).project()
    missing = check_environment(project, os.environ)
    if live and missing:
        raise SettingsError(missing)
    _summary(project)
    if missing:
        render.say()
        render.say("Not needed here, but by `gland build`:")
        render.put(render.fault_list(missing))
    if live:
        _probe(project)


def _summary(project: Project) -> None:
    disciplines = list(project.disciplines())
    subfields = sum(len(field.subfields) for field in project.fields)
    pairs = sum(discipline.settings.pairs for discipline in disciplines)
    render.say(f"{project.name}: no faults.")
    render.say()
    table = render.columns(1)
    numbers = {
        "fields": len(project.fields),
        "subfields": subfields,
        "disciplines": len(disciplines),
        "pairs wanted, before filters": pairs,
    }
    for name, count in numbers.items():
        table.add_row("", f"{count:,}", name)
    render.put(table)
    render.say()
    table = render.headed(["stage", "asks, in order of preference"], whole=["stage"])
    for stage in STAGES:
        table.add_row(f"  {stage}", "; ".join(_asked(project, stage)))
    render.put(table)


def _asked(project: Project, stage: str) -> list[str]:
    """The lists of deployments that disciplines ask for this stage, the most common first, with how many ask it where they differ."""
    lists: dict[tuple[str, ...], int] = {}
    for discipline in project.disciplines():
        models = discipline.settings.stages[stage].models
        lists[models] = lists.get(models, 0) + 1
    said = []
    for models, count in sorted(lists.items(), key=lambda item: -item[1]):
        names = ", ".join(_named(project, name) for name in models)
        said.append(names if len(lists) == 1 else f"{names} ({render.several(count, 'discipline')})")
    return said


def _named(project: Project, name: str) -> str:
    identity = project.deployments[name].identity
    return name if name == identity else f"{name} = {identity}"


def _probe(project: Project) -> None:
    """One request a deployment, all at once; GlandError when one of them cannot be used."""
    import asyncio

    from gland_assets.io.probe import probe

    results = asyncio.run(probe(project))
    render.say()
    table = render.headed(["deployment", "answers", "after", "structured", "calls itself", "dollars per million"], right=["after"])
    for found in results:
        table.add_row(
            f"  {found.deployment}",
            Text("yes", "green") if found.ok else Text("no", "red"),
            "" if found.latency_s is None else f"{found.latency_s:.1f} s",
            {True: "yes", False: "no", None: ""}[found.structured],
            found.model or "",
            _price(found.price),
        )
    render.put(table)
    faults = [found for found in results if found.error]
    for found in faults:
        render.remark(f"{found.deployment}: {found.error}")
    if faults:
        raise typer.Exit(GlandError.exit_code)


def _price(price: Price | None) -> str:
    if price is None:
        return "unknown"
    return "free" if not price.input and not price.output else f"{price.input:f} in, {price.output:f} out"
