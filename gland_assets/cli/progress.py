"""What a running build shows: a live board on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gland_assets.cli import render
from gland_assets.cli.counting import SHOWN_LEVELS, Counts
from gland_assets.cli.stopping import Stopping
from gland_assets.core.progress import Asked, Event

LINE_S = 5.0  # between two plain lines
SAMPLE_S = 6.0  # at least, between two samples on the board
SAMPLE_LINES_S = 30.0  # the same among plain lines
SAMPLED = ("questions", "answers")
TICKS = 4  # times a second the board is drawn


class Board:
    """Shows the counts of a build as they grow."""

    def __init__(self, counts: Counts, stop: Stopping) -> None:
        self.counts, self._stop = counts, stop
        self._console = render.out()
        self._live: Live | None = None
        self._sample: Asked | None = None
        self._sampled_at = self._told_at = time.monotonic()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the board, or plain lines, until the body ends."""
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            self._stop.told = False
            yield
            return
        with Live(get_renderable=self._board, console=self._console, refresh_per_second=TICKS, transient=True) as self._live:
            yield

    def on_event(self, event: Event) -> None:
        """Count one event, and show it when it is time to."""
        self.counts.add(event)
        now = time.monotonic()
        every = SAMPLE_S if self._live else SAMPLE_LINES_S
        if isinstance(event, Asked) and self._worth_showing(event) and (self._sample is None or now - self._sampled_at >= every):
            self._sample, self._sampled_at = event, now
            if self._live is None:
                self._line(f"        {event.stage}/{event.discipline}: {render.cut(said(event.text), 160)}")
        if self._live is None and now - self._told_at >= LINE_S:
            self._told_at = now
            self._line(self._status())

    def _worth_showing(self, event: Asked) -> bool:
        return event.kind == "accepted" and event.stage in SAMPLED

    def _line(self, text: str) -> None:
        print(text, flush=True)

    def _status(self) -> str:
        counts = self.counts
        parts = [
            f"{counts.done}/{counts.disciplines} disciplines",
            f"{render.several(counts.rows, 'row')} ({counts.pace})",
            render.several(counts.calls, "call"),
            f"{counts.reused:,} from the store" if counts.reused else "",
            f"{counts.rejected:,} rejected" if counts.rejected else "",
            f"{counts.retried:,} asked again" if counts.retried else "",
            f"{render.tokens(counts.tokens)} tokens",
            counts.cost,
            counts.left,
        ]
        return f"[{clock(counts.elapsed)}] " + ", ".join(part for part in parts if part)

    def _board(self) -> RenderableType:
        counts = self.counts
        head = Table.grid(expand=True)
        head.add_column()
        head.add_column(justify="right")
        said = Text("stopping: waiting for what is paid for; again ends at once", "yellow") if self._stop.asked else Text(counts.left)
        head.add_row(Text(f"{counts.done} of {render.several(counts.disciplines, 'discipline')} done"), said)
        bar = ProgressBar(total=1.0, completed=counts.share, width=None)
        spent = ", ".join(
            part
            for part in (
                render.several(counts.calls, "call"), f"{counts.reused:,} from the store" if counts.reused else "",
                f"{counts.rejected:,} rejected", f"{counts.retried:,} asked again" if counts.retried else "",
                f"{render.tokens(counts.tokens)} tokens", counts.cost,
            ) if part
        )  # fmt: skip
        pace = f"{counts.pace}, {clock(counts.elapsed)} so far"
        return Group(head, bar, Text(), self._levels(), Text(), Text(f"  {spent}"), Text(f"  {pace}"), Text(), self._shown_sample())

    def _levels(self) -> Table:
        table = render.headed(["  level", "disciplines", "rows", "failed"], right=["disciplines", "rows", "failed"])
        for level in SHOWN_LEVELS:
            seen = self.counts.levels[level]
            if seen.wanted:
                failed = Text(f"{seen.failed:,}" if seen.failed else "", "red")
                table.add_row(f"  {level}", f"{seen.done:,}/{seen.wanted:,}", f"{seen.rows:,}" if seen.rows else "", failed)
        return table

    def _shown_sample(self) -> RenderableType:
        if self._sample is None:
            return Text()
        width = max(20, self._console.width - 4)
        shown = Text(render.cut(said(self._sample.text), 3 * width), "italic")
        return Group(Text(f"  {self._sample.stage}/{self._sample.discipline}", "dim"), Padding(shown, (0, 2)))


def said(text: str) -> str:
    """The words of a reply that came as JSON; any other reply as it is."""
    try:
        held = json.loads(text)
    except ValueError:
        return text
    return "; ".join(str(value) for value in held.values()) if isinstance(held, dict) else text


def clock(seconds: float) -> str:
    """`0:07`, `12:34`, `1:02:03`."""
    whole = int(seconds)
    minutes = f"{whole // 60 % 60}:{whole % 60:02}"
    return f"{whole // 3600}:{minutes:0>5}" if whole >= 3600 else minutes
