"""The command `gland`: its global options, its verbs, and how faults end it. Each verb imports what it needs when it runs."""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gland_assets import __version__
from gland_assets.cli import (
    build,
    export,
    importing,
    init,
    plan,
    prune,
    publish,
    render,
    salvage,
    show,
    similar,
    sql,
    status,
    store,
    ui,
    validate,
    why,
)
from gland_assets.cli.places import find_places
from gland_assets.core.errors import GlandError, Stopped

UNEXPECTED = 70  # exit code of a fault of ours: EX_SOFTWARE of sysexits.h


class Verbs(TyperGroup):
    """The verbs in the order of a project's life; a fault of the user's ends with its message and exit code, not with a traceback."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The verbs as they were added."""
        return list(self.commands)

    def invoke(self, ctx: Any) -> Any:
        """Run a verb."""
        try:
            return super().invoke(ctx)
        except GlandError as error:
            render.tell(error)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            render.remark("interrupted")
            raise typer.Exit(Stopped.exit_code) from None
        except BrokenPipeError:  # the reader has had enough, as in `gland sql … | head`
            _let_go_of_stdout()
            raise typer.Exit(0) from None


def _let_go_of_stdout() -> None:
    """Point stdout nowhere, so that flushing it at exit does not fail a second time."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


app = typer.Typer(
    name="gland",
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # it would show local variables, and keys among them
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        print(f"gland {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    taxonomy: Annotated[
        Path | None,
        typer.Option("--taxonomy", envvar="GLAND_TAXONOMY", metavar="FILE", help="The taxonomy file; by default ./taxonomy.toml."),
    ] = None,
    warehouse: Annotated[
        Path | None,
        typer.Option(
            "--warehouse",
            envvar="GLAND_WAREHOUSE",
            metavar="DIR",
            help="Where all that is made is kept; by default `warehouse` beside the taxonomy file.",
        ),
    ] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Build an instruction-tuning dataset from a declared taxonomy of knowledge; nothing paid for is ever paid for again."""
    context.obj = find_places(taxonomy, warehouse)


VERBS: dict[Callable[..., None], str] = {
    init.init: "write a small project to begin with",
    validate.validate: "check the taxonomy and settings",
    plan.plan: "what is out of date, why, and what it takes",
    importing.import_: "take in questions and pairs there are already",
    build.build: "bring the dataset up to date",
    why.why: "why something is made again, or asked for",
    status.status: "how far each discipline has come",
    show.show: "pairs to read, a row's ancestry, a curriculum",
    similar.similar: "the stored questions nearest to a text",
    sql.sql: "query the tables, read-only",
    publish.publish: "bring gland.duckdb up to date",
    export.export: "the dataset as files to train on",
    prune.prune: "what nothing stands on any more, and remove it",
    ui.ui: "Dagster's web interface on this project",
}
for verb, meaning in VERBS.items():
    app.command(name=verb.__name__.rstrip("_"), short_help=meaning)(verb)
app.add_typer(store.store, name="store", short_help="what the response store holds, and whether it is whole")
app.command(hidden=True)(salvage.salvage)


def main() -> None:
    """The entry point `gland`."""
    # A command ends soon and needs all that it reads. Looking through that for waste, midway and at the end, took a third of its time.
    gc.set_threshold(50_000)
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a locale without all of Unicode costs a letter, not the command
    try:
        app()
    except Exception:
        # Python's own exit code 1 would say that some rows failed.
        traceback.print_exc()
        sys.exit(UNEXPECTED)
