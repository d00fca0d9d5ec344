"""`gland ui`: Dagster's web interface on this project, until Ctrl-C."""

from __future__ import annotations

from typing import Annotated

import typer

from gland_assets.cli import render
from gland_assets.cli.places import places
from gland_assets.cli.stopping import Stopping


def ui(
    context: typer.Context,
    port: Annotated[int, typer.Option("--port", metavar="N", min=1, max=65_535, help="Where it listens.")] = 3000,
    host: Annotated[
        str, typer.Option("--host", metavar="NAME", help="The address it listens at; anybody who reaches it can build.")
    ] = "127.0.0.1",
) -> None:
    """Open Dagster's web interface on this project."""
    here = places(context)
    here.project()  # a faulty taxonomy is told here, at once, rather than in the browser
    with Stopping() as stop:
        render.say("Starting Dagster's web interface …")
        from gland_assets.assets.serve import serve

        serve(here.taxonomy, here.warehouse, host, port, lambda url: render.say(f"{url}    Ctrl-C ends it."), stop)
    render.say("Ended.")
