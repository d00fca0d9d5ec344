"""`gland import`: questions and pairs that there are already, as rows of a discipline or as something to be compared with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from gland_assets.cli import render
from gland_assets.cli.places import Places, known, places
from gland_assets.cli.summary import shown_path
from gland_assets.core.errors import GlandError

if TYPE_CHECKING:
    from gland_assets.core.imports import Named
    from gland_assets.io.bring import Brought
    from gland_assets.io.imported import Origin

NARROWER = ((), ("form",), ("form", "imported"))
"""Columns that are left out, the more the narrower the terminal is."""


def import_(
    context: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="JSONL, JSON, CSV (each also .gz) or Parquet; without one, what is imported."),
    ] = None,
    discipline: Annotated[str | None, typer.Option("-d", "--discipline", metavar="SLUG", help="The discipline they are rows of.")] = None,
    reference: Annotated[bool, typer.Option("--reference", help="To be compared with, and never published.")] = False,
    question: Annotated[
        str | None, typer.Option("--question", metavar="COLUMN", help="The column of the question, in a file of no known form.")
    ] = None,
    answer: Annotated[str | None, typer.Option("--answer", metavar="COLUMN", help="The column of its answer.")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out rows that cannot be read, and say how many.")] = False,
    remove: Annotated[str | None, typer.Option("--remove", metavar="NAME", help="Take an import back.")] = None,
) -> None:
    """Import questions, or questions with answers, that there are already; without a file, list what has been imported."""
    here = places(context)
    if remove is None and not files:
        _list(here)
        return
    if bool(discipline) == reference:
        raise GlandError("say where the rows belong: to a discipline with -d SLUG, or with --reference to what is compared with")
    if remove is not None:
        if files:
            raise GlandError("--remove takes back an import by its name, which `gland import` lists; it takes no file")
        _remove(here, discipline, remove)
        return
    if answer and not question:
        raise GlandError("--answer needs --question, the column of the question")
    named = _named(question, answer)
    if discipline:
        known(here.project(), [discipline])
    brought = _brought(list(dict.fromkeys(path.expanduser().absolute() for path in files or ())), named, skip_bad)
    if discipline:
        _into(here, discipline, brought)
    else:
        _as_reference(here, brought)


def _named(question: str | None, answer: str | None) -> Named | None:
    from gland_assets.core.imports import Named

    return Named("columns", question, answer=answer) if question else None


def _brought(paths: Sequence[Path], named: Named | None, skip_bad: bool) -> list[tuple[Path, Brought]]:
    """All files read, before anything is written."""
    from gland_assets.io.bring import bring

    return [(path, bring(Path(shown_path(path)), named, skip_bad)) for path in paths]


def _into(here: Places, slug: str, files: Sequence[tuple[Path, Brought]]) -> None:
    from gland_assets.io.importing import add
    from gland_assets.io.partitions import Partitions

    done = add(Partitions(here.warehouse), slug, files)
    for each in done:
        _tell(Path(each.origin.path), each.brought, each.repeated)
        stood = each.origin.rows - each.new
        said = [f"{render.several(each.new, 'row')} new" if each.new or not stood else "nothing new"]
        if stood:
            said.append(f"{stood:,} stood there already")
        if each.gone:
            said.append(f"{each.gone:,} that the file held before taken out")
        render.say(f"  {slug}: {', '.join(said)}")
    if any(each.new or each.gone for each in done):
        render.say(f"`gland plan -d {slug}` says what a build makes of it; `gland import` lists all imports, --remove takes one back.")


def _as_reference(here: Places, files: Sequence[tuple[Path, Brought]]) -> None:
    from gland_assets.io.partitions import Partitions
    from gland_assets.io.references import add_references

    done = add_references(here.project(), Partitions(here.warehouse), files)
    for (path, brought), (origin, repeated) in zip(files, done, strict=True):
        _tell(path, brought, repeated)
        render.say(f"  reference {origin.name}: {render.several(origin.rows, 'row')} to be compared with, never published")
    render.say("The next build, or `gland publish`, compares with them; `gland import` lists them, and --remove takes one back.")


def _tell(path: Path, brought: Brought, repeated: int) -> None:
    """What was read of a file, and what of it was left out."""
    from gland_assets.core.imports import in_words

    count = len(brought.rows)
    alone = brought.rows["answer"].null_count
    said = render.several(count, "question") if alone == count else render.several(count, "pair") if not alone else (
        f"{render.several(count - alone, 'pair')} and {render.several(alone, 'question')} without an answer"
    )  # fmt: skip
    render.say(f"{shown_path(path)}: {said}, read as {in_words(brought.form)}")
    out = [
        render.several(repeated, "row") + " more than once" if repeated else "",
        render.several(brought.system_turns, "system turn") if brought.system_turns else "",
        render.several(brought.further_turns, "further turn") if brought.further_turns else "",
        render.several(brought.bad, "bad row") if brought.bad else "",
    ]
    if any(out):
        render.say(f"  left out: {', '.join(filter(None, out))}")
    for example in brought.examples:
        render.say(f"    {example}", "dim")


def _remove(here: Places, slug: str | None, name: str) -> None:
    from gland_assets.io.importing import remove
    from gland_assets.io.partitions import Partitions
    from gland_assets.io.references import remove_reference

    partitions = Partitions(here.warehouse)
    gone = remove(partitions, slug, name) if slug else remove_reference(partitions, name)
    after = f"`gland plan -d {slug}` says what follows" if slug else "the next build, or `gland publish`, compares without it"
    render.say(f"{slug or 'reference'}: {name} taken back, {render.several(gone.rows, 'row')}; {after}.")


def _list(here: Places) -> None:
    from gland_assets.io.imported import meta_of, origins
    from gland_assets.io.partitions import Partitions

    partitions, declared = Partitions(here.warehouse), here.project().index()
    found: list[tuple[Text, Origin]] = []
    for slug in sorted(partitions.stored("imported"), key=lambda slug: (slug not in declared, slug)):
        where = Text(slug) if slug in declared else Text.assemble(slug, (" (not in the taxonomy)", "yellow"))
        found += [(where, origin) for origin in origins(meta_of(partitions, slug))]
    for name in partitions.stored("references"):
        found += [(Text("reference", "dim"), origin) for origin in origins(partitions.meta("references", name))]
    if not found:
        render.say("Nothing has been imported; `gland import FILE -d SLUG` takes questions or pairs in, docs/imports.md says from what.")
        return
    console = render.out()
    tables = (_table(found, without) for without in NARROWER)
    render.put(next((table for table in tables if render.measured(console, table) <= console.width), _table(found, NARROWER[-1])), console)


def _table(found: Sequence[tuple[Text, Origin]], without: Sequence[str]) -> Table:
    from datetime import datetime

    names = [name for name in ("discipline", "import", "rows", "answered", "form", "imported", "file") if name not in without]
    table = render.headed(names, right=["rows", "answered"], whole=[name for name in names if name != "file"])
    for where, origin in found:
        cells: dict[str, Text | str] = {
            "discipline": where, "import": origin.name, "rows": f"{origin.rows:,}", "answered": f"{origin.answered:,}",
            "form": origin.form.split(" (")[0], "imported": render.moment(datetime.fromisoformat(origin.imported_at)),
            "file": shown_path(Path(origin.path)),
        }  # fmt: skip
        table.add_row(*(cells[name] for name in names))
    return table
