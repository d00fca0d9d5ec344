"""`gland similar`: the stored questions nearest to a text."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from gland_assets.cli import render
from gland_assets.cli.places import places

if TYPE_CHECKING:
    from gland_assets.core.project import Project
    from gland_assets.io.similar import Nearest

STYLES = {"kept": "green", "failed": "red", "reference": "cyan"}
UNBOUND = 160  # characters of a text where no terminal bounds it
ID = 10  # digits shown of an id: enough for `gland show`


def similar(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar='"TEXT"', help="A question, or part of one.")],
    count: Annotated[int, typer.Option("-n", metavar="N", min=1, max=1000, help="How many, at most.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, with whole texts.")] = False,
) -> None:
    """Show the stored questions, and texts of references, nearest to TEXT, with their exact similarity."""
    from gland_assets.cli.sql import connect
    from gland_assets.io.similar import nearest

    here = places(context)
    project = here.project()
    with closing(connect(project, here)) as connection:
        answer = nearest(connection, project, here.warehouse, text, count)
    if as_json:
        said = {"found": [asdict(near) for near in answer.found], "compared": answer.compared, "left_out": answer.left_out}
        print(json.dumps(said | {"behind": list(answer.behind)}, ensure_ascii=False, indent=1))
        return
    if answer.found:
        _show(answer)
    else:
        _nothing(project)
    _remarks(project, text, answer)


def _show(answer: Nearest) -> None:
    console = render.out()
    ends = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", show_edge=False)
    for name in ("similar", "state", "discipline", "id"):
        ends.add_column(name, justify="right" if name == "similar" else "left", no_wrap=True)
    ends.add_column("question", no_wrap=True, overflow="ellipsis")
    for near in answer.found:
        state = near.status or "no answer yet"
        ends.add_row(
            f"{near.similarity:.2f}", Text(state.replace("_", " "), STYLES.get(state, "yellow")), near.discipline, near.question_id[:ID],
            render.cut(near.text, UNBOUND),
        )  # fmt: skip
    render.put(ends, console)


def _nothing(project: Project) -> None:
    from gland_assets.io.similar import recall

    dedup = project.dedup
    met = recall(dedup.threshold, dedup.bands, dedup.rows)
    render.say("Nothing that is stored shares a band with it.")
    half = recall(dedup.threshold / 2, dedup.bands, dedup.rows)
    render.say(f"Of questions as similar as {dedup.threshold}, {met:.1%} do; of those half as similar, {half:.0%}.", "dim")


def _remarks(project: Project, text: str, answer: Nearest) -> None:
    from gland_assets.core.dedup import words

    ngram = project.dedup.ngram
    if (count := len(words(text))) < ngram:
        render.remark(f"{render.several(count, 'word')}: only a text of the same words is found; from {ngram} on, texts that share some")
    if answer.left_out:
        render.remark(f"{answer.left_out:,} more share a band with it and were not compared: those shown share most")
    if answer.behind:
        render.remark(f"the index is behind in {render.some(answer.behind)}; `gland build` or `gland publish` brings it up to date")
