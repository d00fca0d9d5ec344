"""`gland export`: the kept pairs as files to train on, with a dataset card."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from gland_assets.cli import render
from gland_assets.cli.places import places
from gland_assets.cli.summary import shown_path


def export(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    format: Annotated[str, typer.Option("--format", metavar="NAME", help="messages, prompt-completion or parquet.")],
    where: Annotated[str | None, typer.Option("--where", metavar="SQL", help="Only the pairs of `dataset` for which this holds.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files of the same names in a folder that is not empty.")] = False,
) -> None:
    """Write the dataset as it stands now into DIR, with a dataset card."""
    from gland_assets.cli.sql import connect
    from gland_assets.io.exports import export as write

    here = places(context)
    project = here.project()
    with closing(connect(project, here)) as connection:
        written = write(connection, project, format, where, folder, force)
    render.say(f"{render.several(written.pairs, 'pair')} in {shown_path(written.path.absolute())}")
    table = render.columns(0)
    for name, count in written.fields.items():
        table.add_row(f"  {count:,}", name)
    render.put(table)
    render.say(f"{shown_path(written.card.absolute())} says what is in it and how it was made.")
