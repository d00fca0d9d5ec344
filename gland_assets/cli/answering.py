"""The deployments of a build as a table: what each has answered and how, while the build runs and at its end."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from gland_assets.cli import render
from gland_assets.cli.counting import Counts, short_cost
from gland_assets.core.progress import Count

SHOWN = 6  # deployments with a row of their own; of more, the ones with most calls
NAME = 24  # most characters of a name
WIDE = 100  # columns from which on causes have room
NUMBERS = ["calls", "tokens", "cost", "429s", "retries", "latency"]


def table(counts: Counts, width: int) -> Table:
    """A row a deployment, with what it does now where that is out of the ordinary; more than a few folded into one."""
    wide = width >= WIDE
    made = render.headed(["  deployment", *NUMBERS, ""], right=NUMBERS)
    shown, folded = _shown(counts)
    for name in shown:
        made.add_row(_cut(f"  {render.cut(name, NAME)}"), *_numbers(counts.deployments[name]), _now(counts, name, wide))
    if folded:
        rest = Count()
        for name in folded:
            rest.add(counts.deployments[name])
        resting = sum(counts.rests(name) is not None for name in folded)
        said = f"{resting} rest{'s' if resting == 1 else ''}" if resting else ""
        made.add_row(f"  {len(folded)} others", *_numbers(rest), Text(said, "yellow"))
    return made


def in_line(counts: Counts) -> str:
    """The same in a few words, for a plain line; empty where one deployment answers everything."""
    if len(counts.deployments) < 2 and not any(counts.rests(name) for name in list(counts.deployments)):
        return ""
    shown, folded = _shown(counts)
    said = [_few_words(counts, name) for name in shown]
    if folded:
        said.append(f"{len(folded)} others {render.several(sum(counts.deployments[name].calls for name in folded), 'call')}")
    return "; ".join(said)


def _shown(counts: Counts) -> tuple[list[str], list[str]]:
    """Who has a row, in the order in which they were first heard of, and who is folded."""
    names = list(counts.deployments)
    if len(names) <= SHOWN:
        return names, []
    first = set(sorted(names, key=lambda name: -counts.deployments[name].calls)[: SHOWN - 1])
    return [name for name in names if name in first], [name for name in names if name not in first]


def _numbers(count: Count) -> list[str]:
    failing = [f"{number:,}" if number else "" for number in (count.limited, count.retried)]
    if not count.calls:
        return ["0", "", "", *failing, ""]
    latency = count.seconds / count.calls
    shown = f"{1000 * latency:.0f} ms" if latency < 1 else f"{latency:.1f} s"
    return [f"{count.calls:,}", render.tokens(count.tokens), short_cost(count), *failing, shown]


def _now(counts: Counts, name: str, wide: bool) -> Text:
    """What a deployment does now or has left to others; a word or two where there is little room."""
    said, rests, moved = _cut(), counts.rests(name), counts.deployments[name].moved
    if rests is not None:
        why = f" ({rests[1]})" if wide and rests[1] else ""
        said.append(f"rests {render.duration(max(1.0, rests[0]))}{why}", "yellow")
    if moved and (wide or rests is None):
        said.append(f"{', ' if said else ''}{moved:,} moved on" if wide else f"{moved:,} moved", "dim")
    return said


def _cut(text: str = "") -> Text:
    """A text that is cut where its column has no room for it."""
    return Text(text, no_wrap=True, overflow="ellipsis")


def _few_words(counts: Counts, name: str) -> str:
    count, rests = counts.deployments[name], counts.rests(name)
    parts = [
        f"{name} {render.several(count.calls, 'call')}",
        f"{count.limited:,} rate limited" if count.limited else "",
        f"{count.moved:,} moved on" if count.moved else "",
        f"rests {render.duration(max(1.0, rests[0]))}" if rests else "",
    ]
    return ", ".join(part for part in parts if part)
