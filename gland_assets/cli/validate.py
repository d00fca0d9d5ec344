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
    """One request an endpoint, all at once; ends with 2 when one of them cannot be used."""
    import asyncio

    from gland_assets.io.probe import probe

    results = asyncio.run(probe(project))
    several = any(len(deployment.api_base) > 1 for deployment in project.deployments.values())
    names = [
        "deployment",
        *(["endpoint"] if several else []),
        "answers",
        "after",
        "keeps to a schema",
        "calls itself",
        "dollars per million",
    ]
    render.say()
    table = render.headed(names, right=["after"], whole=["deployment", "endpoint"])
    for found in results:
        table.add_row(
            f"  {found.deployment}",
            *([found.endpoint or ""] if several else []),
            Text("yes", "green") if found.ok else Text("no", "red"),
            "" if found.latency_s is None else f"{found.latency_s:.1f} s",
            _structured(found.structured, found.form),
            found.model or "",
            _price(found.price),
        )
    render.put(table)
    faults = [found for found in results if found.error]
    for found in faults:
        where = f"{found.deployment} at {found.endpoint}" if several and found.endpoint else found.deployment
        render.remark(f"{where}: {found.error}")
    if faults:
        raise typer.Exit(GlandError.exit_code)


def _structured(kept: bool | None, form: str) -> Text:
    """Whether a reply fitted its schema, and how it was asked to."""
    if kept is None:
        return Text()
    asked = "asked in words" if form == "none" else form
    return Text(f"yes, {asked}", "green") if kept else Text(f"no, {asked}", "red")


def _price(price: Price | None) -> str:
    if price is None:
        return "unknown"
    return "free" if not price.input and not price.output else f"{price.input:f} in, {price.output:f} out"
