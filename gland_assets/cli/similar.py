"""`gland similar`: the stored questions nearest to a text."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from gland_assets.cli import render
from gland_assets.cli.places import places

if TYPE_CHECKING:
    from gland_assets.core.project import Project
    from gland_assets.io.similar import Nearest

STYLES = {"kept": "green", "failed": "red", "reference": "cyan"}
OVER = {"questions": ("question",), "answers": ("answer",), "both": ("question with its answer", "questions with their answers")}
"""`[dedup] over` -> what one text, and what several are that TEXT is compared with."""

SHOWN = 300  # characters of a text; --json gives all of it
ID = 10  # digits shown of an id: enough for `gland show`


def similar(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar='"TEXT"', help="A question, or what `[dedup] over` compares.")],
    count: Annotated[int, typer.Option("-n", metavar="N", min=1, max=1000, help="How many, at most.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, with whole texts.")] = False,
) -> None:
    """Show the stored questions, and texts of references, nearest to TEXT, with their exact similarity.

    What is compared is what near duplicates are looked for in: questions, or by `[dedup] over` their answers, or both as one text.
    """
    from gland_assets.cli.sql import connect
    from gland_assets.io.similar import nearest

    here = places(context)
    project = here.project()
    with closing(connect(project, here)) as connection:
        answer = nearest(connection, project, here.warehouse, text, count)
    if as_json:
        print(json.dumps(asdict(answer), ensure_ascii=False, indent=1))
        return
    if answer.found:
        _show(answer)
        render.say(f"Compared with {render.several(answer.compared, *OVER[answer.over])}.", "dim")
    else:
        _nothing(project)
    _remarks(project, text, answer)


def _show(answer: Nearest) -> None:
    """Two lines each: what it is, and its text below."""
    states = [(near.status or "no answer yet").replace("_", " ") for near in answer.found]
    wide = max(map(len, states)), max(len(near.discipline) for near in answer.found)
    for near, state in zip(answer.found, states, strict=True):
        shown = f"{state:{wide[0]}}", STYLES.get(state, "yellow")
        render.put(
            Text.assemble(
                (f"{near.similarity:.2f}", "bold"), "  ", shown, f"  {near.discipline:{wide[1]}}  ", (near.question_id[:ID], "dim")
            )
        )
        render.put(Padding(Text(render.cut(near.text, SHOWN)), (0, 0, 0, 6), expand=False))


def _nothing(project: Project) -> None:
    from gland_assets.io.similar import recall

    dedup = project.dedup
    met = recall(dedup.threshold, dedup.bands, dedup.rows)
    render.say(f"No stored {OVER[dedup.over][0]} shares a band with it.")
    half = recall(dedup.threshold / 2, dedup.bands, dedup.rows)
    render.say(f"Of texts as similar as {dedup.threshold}, {met:.1%} do; of those half as similar, {half:.0%}.", "dim")


def _remarks(project: Project, text: str, answer: Nearest) -> None:
    from gland_assets.core.dedup import words

    ngram = project.dedup.ngram
    if (count := len(words(text))) < ngram:
        render.remark(f"{render.several(count, 'word')}: only a text of the same words is found; from {ngram} on, texts that share some")
    if answer.left_out:
        render.remark(f"{answer.left_out:,} more share a band with it and were not compared: those shown share most")
    if answer.behind:
        render.remark(f"the index is behind in {render.some(answer.behind)}; `gland build` or `gland publish` brings it up to date")
