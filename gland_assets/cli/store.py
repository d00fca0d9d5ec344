"""`gland store stats` and `gland store verify`: what the response store holds, and whether it is whole."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.status import Status

from gland_assets.cli import estimates, render
from gland_assets.cli.places import places
from gland_assets.cli.summary import shown_path
from gland_assets.core.errors import GlandError

if TYPE_CHECKING:
    from gland_assets.io.store import Sum
    from gland_assets.io.verify import Verdict

QUIET_S = 2.0  # before progress is shown
LINE_S = 5.0  # between two lines of it where no terminal is

store = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@store.callback()
def what() -> None:
    """Look into the response store: every reply that was paid for, this project's own or shared with others ([store] path)."""


@store.command(short_help="what it holds, and what that cost")
def stats(context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Replies, room, tokens and dollars, by stage, model and project."""
    from gland_assets.io.network_disks import network_disk
    from gland_assets.io.pruning import builds
    from gland_assets.io.store import ResponseStore, store_path

    here = places(context)
    project = here.project()
    path = store_path(project, here.warehouse)
    with closing(ResponseStore(path)) as opened, _progress() as told:
        sums = opened.sums(lambda done: told("replies", done))
    own = builds(here.warehouse)
    disk = network_disk(path)
    if as_json:
        print(json.dumps(_as_json(path, project.store_path is not None, sums, own, disk), ensure_ascii=False, indent=1))
    else:
        _show(path, project.store_path is not None, sums, own)
        _warn(disk)


@store.command(short_help="read all of it, and say what is damaged")
def verify(context: typer.Context) -> None:
    """Read every reply, the index and the ledger; exit code 2 when anything is damaged or lost."""
    from gland_assets.io.ledger import Ledger
    from gland_assets.io.network_disks import network_disk
    from gland_assets.io.store import store_path
    from gland_assets.io.verify import verify as read_all

    here = places(context)
    path = store_path(here.project(), here.warehouse)
    with closing(Ledger(here.warehouse)) as ledger, _progress() as told:
        verdict = read_all(path, ledger, told)
    _warn(network_disk(path))
    if verdict.sound:
        render.say(f"All is well: {render.several(verdict.replies, 'reply', 'replies')} in {shown_path(path)}.")
        return
    _tell_damage(path, verdict)
    raise typer.Exit(GlandError.exit_code)


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    """Takes what is being read and the part that is done; shown on stderr once it takes over two seconds."""
    console = render.err()
    began = shown_at = time.monotonic()
    board = Status("", console=console)

    def told(what: str, done: float) -> None:
        nonlocal shown_at
        now = time.monotonic()
        if now - began < QUIET_S:
            return
        text = f"reading {what}" + (f", {done:.0%}" if done >= 0 else "")
        if console.is_terminal:
            board.update(text)
            board.start()
        elif now - shown_at >= LINE_S:
            shown_at = now
            render.remark(f"{text}, after {render.duration(now - began)}")

    try:
        yield told
    finally:
        board.stop()


def _warn(disk: str | None) -> None:
    if disk:
        render.remark(
            f"The store lies on a network file system ({disk}), where SQLite's locks hold on one machine alone: let no two machines "
            "use it at once, or move it to a disk of one machine."
        )


def _show(path: Path, shared: bool, sums: Sequence[Sum], own: frozenset[str]) -> None:
    if not sums:
        render.say(f"{shown_path(path)} holds no reply yet.")
        return
    whole = _together(sums)
    render.say(f"{shown_path(path)}{', shared ([store] path)' if shared else ''}: {render.several(whole['replies'], 'reply', 'replies')}")
    text, kept = whole["text_bytes"], whole["kept_bytes"]
    render.say(f"  file   {render.size(_file_bytes(path))}; texts {render.size(text)}, kept in {render.size(kept)}")
    render.say(f"  paid   from {render.moment(min(each.oldest for each in sums))} to {render.moment(max(each.newest for each in sums))}")
    render.say(f"  builds {_builds_said(sums, own)}")
    for name in ("stage", "model"):
        render.say()
        numbers = ["replies", "tokens in", "tokens out", "cost"]
        table = render.headed([f"  {name}", *numbers], right=numbers)
        groups = _by(sums, lambda each, name=name: str(getattr(each, name)))  # type: ignore[misc]
        for title, one in groups.items():
            _add(table, title, one)
        if len(groups) > 1:
            _add(table, "all", whole)
        render.put(table)


def _add(table: Any, title: str, one: dict[str, Any]) -> None:
    tokens = (render.tokens(one[name]) for name in ("prompt_tokens", "completion_tokens"))
    table.add_row(f"  {title}", f"{one['replies']:,}", *tokens, _cost(one))


def _cost(one: dict[str, Any]) -> str:
    if one["unpriced"] == one["replies"]:
        return "price unknown"
    return render.money(one["usd"]) + (f" and {one['unpriced']:,} of unknown price" if one["unpriced"] else "")


def _builds_said(sums: Sequence[Sum], own: frozenset[str]) -> str:
    said = []
    for whose, ours in (("this project", True), ("others, not on record here,", False)):
        some = [each for each in sums if (each.build_id in own) == ours]
        if some:
            builds = len({each.build_id for each in some})
            replies = render.several(sum(each.replies for each in some), "reply", "replies")
            said.append(f"{render.several(builds, 'build')} of {whose} paid for {replies}")
    return "; ".join(said)


def _by(sums: Sequence[Sum], name: Callable[[Sum], str]) -> dict[str, dict[str, Any]]:
    """The sums together by name, that with most replies first."""
    groups: dict[str, list[Sum]] = {}
    for each in sums:
        groups.setdefault(name(each), []).append(each)
    together = {title: _together(some) for title, some in groups.items()}
    return dict(sorted(together.items(), key=lambda item: (-item[1]["replies"], item[0])))


def _together(sums: Sequence[Sum]) -> dict[str, Any]:
    names = ("replies", "prompt_tokens", "completion_tokens", "unpriced", "text_bytes", "kept_bytes")
    return {name: sum(getattr(each, name) for each in sums) for name in names} | {"usd": sum((each.usd for each in sums), Decimal(0))}


def _file_bytes(path: Path) -> int:
    """The file, and what of it is still in its log."""
    return sum(part.stat().st_size for part in (path, path.with_name(f"{path.name}-wal")) if part.exists())


def _as_json(path: Path, shared: bool, sums: Sequence[Sum], own: frozenset[str], disk: str | None) -> dict[str, Any]:
    def plain(one: dict[str, Any]) -> dict[str, Any]:
        return one | {"usd": estimates.number(None if one["unpriced"] else one["usd"])}

    groups = {
        "by_stage": _by(sums, lambda each: each.stage),
        "by_model": _by(sums, lambda each: each.model),
        "by_build": {build: one | {"own": build in own} for build, one in _by(sums, lambda each: each.build_id).items()},
    }
    oldest, newest = min((each.oldest for each in sums), default=None), max((each.newest for each in sums), default=None)
    return {
        "path": str(path), "shared": shared, "network_disk": disk, "file_bytes": _file_bytes(path), **plain(_together(sums)),
        "oldest": oldest and oldest.isoformat(), "newest": newest and newest.isoformat(),
        **{name: {title: plain(one) for title, one in group.items()} for name, group in groups.items()},
    }  # fmt: skip


def _tell_damage(path: Path, verdict: Verdict) -> None:
    shown = shown_path(path)
    for line in verdict.file:
        render.say(f"{shown}: {line}")
    for row in verdict.damaged:
        render.say(f"{shown}: row {row.number}{f' ({row.key})' if row.key else ''}: {row.why}")
    if verdict.rows_damaged > len(verdict.damaged):
        render.say(f"{shown}: and {verdict.rows_damaged - len(verdict.damaged):,} rows more")
    for key in verdict.lost:
        render.say(f"{shown}: {key} was paid for, and its reply is not there")
    if verdict.keys_lost > len(verdict.lost):
        render.say(f"{shown}: and {verdict.keys_lost - len(verdict.lost):,} more that were paid for")
    if verdict.file or verdict.rows_damaged:
        render.remark(
            f"{shown} is damaged; {render.several(verdict.replies, 'reply', 'replies')} can be read. Put a copy of it back, or run "
            "`gland salvage` while nobody uses it: it saves what can be read and keeps the damaged file."
        )
    if verdict.keys_lost:
        render.remark(
            f"{shown} has lost {render.several(verdict.keys_lost, 'reply', 'replies')} of this project. Put the file back as it was; "
            "`gland plan` says whether one is needed."
        )
