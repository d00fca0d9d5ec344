"""What `gland why` has found, as one reads it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from gland_assets.cli import reading, render
from gland_assets.core.levels import DECLARED, PARTITIONED, TURNS

if TYPE_CHECKING:
    from gland_assets.core.project import Project

STYLES = {"missing": "green", "stale": "yellow", "waiting": "dim", "fresh": "", "orphan": "red"}

Answer = Mapping[str, Any]


def show(project: Project, answer: Answer) -> None:
    """Print an answer of any kind."""
    slug = answer["discipline"]
    render.put(reading.place(project, slug) if slug in project.index() else Text(slug, "bold"))
    {"discipline": _discipline, "request": _request}.get(answer["kind"], _row)(answer)


def _discipline(answer: Answer) -> None:
    render.say()
    table = render.headed(["  level", "state", "last made", "by build", "because"], whole=["  level", "state", "last made", "by build"])
    levels = [level for level in answer["levels"] if level["asset"] not in DECLARED or level["state"] != "fresh"]
    if len(levels) == len(PARTITIONED) and len({(level["state"], *level["because"]) for level in levels}) == 1:
        levels = [{**levels[0], "asset": "all levels"}]
    for level in levels:
        because = Text("; ".join(level["because"]), "dim")
        state = Text(level["state"], STYLES[level["state"]])
        table.add_row(f"  {level['asset']}", state, _moment(level["built_at"]), level["build_id"] or "–", because)
    render.put(table)
    render.say()
    asked = answer["requests"]
    if asked is None:
        render.say("  Its discipline is no longer in the taxonomy; `gland prune` lists what it leaves behind.")
    elif all(level["state"] == "fresh" for level in answer["levels"]):
        render.say("  All of it is up to date: a build would leave it as it is.")
    elif not asked["calls"]:
        render.say(f"  A build would ask no model: {render.several(asked['reused'], 'reply', 'replies')} from the store.")
    else:
        _missing(answer)


def _missing(answer: Answer) -> None:
    asked = answer["requests"]
    render.say("  Not in the response store:")
    table = render.columns(1)
    for group in answer["missing"]:
        table.add_row(f"    {group['stage']}", f"{group['requests']:,}", Text(group["because"]), Text(group["key"][:8], "dim"))
    render.put(table)
    cost = render.money(None if asked["usd"] is None else Decimal(str(asked["usd"])))
    calls = f"{render.several(asked['calls'], 'new call')}, {asked['reused']:,} from the store, {cost}"
    render.say()
    render.say(f"  With all that follows: about {calls}, going by {answer['basis']}.", "dim")


def _row(answer: Answer) -> None:
    partition, request = answer["partition"], answer["request"]
    because = f" ({'; '.join(partition['because'])})" if partition["because"] else ""
    made = f"made {_moment(partition['built_at'])} by build {partition['build_id'] or '–'}"
    table = _facts([(answer["kind"], answer["id"]), ("stands in", f"{partition['asset']}/{partition['discipline']}, {made}")])
    table.add_row(Text("  which is", "dim"), Text.assemble((partition["state"], STYLES[partition["state"]]), because))
    if answer["failed"]:
        table.add_row(Text("  failed", "dim"), answer["failed"])
    for name, value in _about_request(request, partition["build_id"]) if request else [("request", "none is recorded")]:
        table.add_row(Text(f"  {name}", "dim"), value)
    render.put(table)


def _request(answer: Answer) -> None:
    named = [(row["asset"], f"{row['row_id']}") for row in answer["rows"]]
    turn = {1: ", the first turn", 2: ", the second turn"}[answer["turn"]] if answer["turn"] and TURNS[answer["stage"]] > 1 else ""
    stage = [("asked for", answer["stage"] + (f", row {answer['row']}" if answer["row"] else "") + turn)]
    render.put(_facts([*_about_request(answer, None), *stage, *((f"made in {asset}", row) for asset, row in named)]))


def _about_request(request: Answer, build_id: str | None) -> list[tuple[str, str]]:
    """A request's key, what was paid for it, and whether it is still looked up; `build_id` made the row it is told for."""
    facts = [("request", request["request_key"])]
    paid = request["paid"]
    if paid:
        cost = render.money(None if paid["usd"] is None else Decimal(str(paid["usd"])))
        tokens = f"{paid['prompt_tokens']:,} tokens in, {paid['completion_tokens']:,} out"
        facts.append(("answered by", f"{paid['model']}, deployment {paid['deployment']}, {tokens}, {cost}"))
        facts.append(("paid", f"{_moment(paid['sent_at'])} by build {paid['build_id']}"))
        if paid["accepted"] is False:
            facts.append(("reply", "rejected: it could not be used"))
    if request["stored"] and build_id and paid and paid["build_id"] != build_id:
        facts.append(("its row", f"made by build {build_id} from the store, without paying again"))
    return [*facts, ("in the store", _standing(request))]


def _standing(request: Answer) -> str:
    if request["stored"]:
        return {
            True: "yes, and the settings as they are still ask for it",
            False: "yes, but nothing in the taxonomy as it is asks for it",
            None: "yes; whether it is still asked for hangs on replies that are not there yet",
        }[request["asked"]]
    if request["asked"]:
        return f"no; the next build asks for it: {request['because']}"
    if not request["paid"]:
        return "no, and the next build does not ask for it"
    return "no: `gland prune` has taken it out" if request["pruned"] else "no: the store has lost it; put the file back as it was"


def _facts(facts: list[tuple[str, str]]) -> Table:
    table = render.columns()
    for name, value in facts:
        table.add_row(Text(f"  {name}", "dim"), value)
    return table


def _moment(when: str | None) -> str:
    return render.moment(datetime.fromisoformat(when) if when else None)
