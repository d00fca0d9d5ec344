"""`gland salvage`: the replies of a damaged store that can still be read. Named by the error that it cures, and not among the verbs."""

from __future__ import annotations

import typer

from gland_assets.cli import render
from gland_assets.cli.places import places
from gland_assets.cli.summary import shown_path


def salvage(context: typer.Context) -> None:
    """Save what can be read of a damaged responses.sqlite; the damaged file is kept beside it."""
    from gland_assets.io.salvage import salvage as save
    from gland_assets.io.store import store_path

    here = places(context)
    path = store_path(here.project(), here.warehouse)
    done = save(path)
    lost = f"; {render.several(done.lost, 'reply', 'replies')} cannot be read" if done.lost else ""
    render.say(f"{render.several(done.saved, 'reply', 'replies')} saved in {shown_path(path)}{lost}.")
    render.say(f"The damaged file is kept as {shown_path(done.kept)}. `gland plan` says whether a reply is missing.")
