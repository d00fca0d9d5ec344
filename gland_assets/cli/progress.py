"""What a running build shows: a live board on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event as Ended
from threading import Thread

from rich.console import Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gland_assets.cli import answering, render
from gland_assets.cli.caps import Used
from gland_assets.cli.counting import SHOWN_LEVELS, Counts
from gland_assets.cli.stopping import Stopping
from gland_assets.core.progress import Asked, Counted, Event

LINE_S = 5.0  # between two plain lines
SAMPLE_S = 6.0  # at least, between two samples on the board
SAMPLE_LINES_S = 30.0  # the same among plain lines
SAMPLE_LINES = 3  # at most
TICKS = 4  # times a second the board is drawn


class Board:
    """Shows the counts of a build as they grow."""

    def __init__(self, counts: Counts, stop: Stopping, used: Used) -> None:
        self.counts, self._stop, self._used = counts, stop, used
        self._console = render.out()
        self._live: Live | None = None
        self._sample: Asked | None = None
        self._sampled_at = time.monotonic()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the board, or plain lines, until the body ends."""
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            self._stop.told = False
            with self._lines():
                yield
            return
        with Live(get_renderable=self.drawn, console=self._console, refresh_per_second=TICKS, transient=True) as self._live:
            yield

    @contextmanager
    def _lines(self) -> Iterator[None]:
        """A plain line every few seconds, also while nothing comes: all deployments may rest."""
        ended = Ended()

        def tell() -> None:
            with suppress(OSError):  # nobody reads any more: the next sample says so to the build
                while not ended.wait(LINE_S):
                    self._line(self.status())

        teller = Thread(target=tell, name="progress", daemon=True)
        teller.start()
        try:
            yield
        finally:
            ended.set()
            teller.join()

    def on_event(self, event: Event) -> None:
        """Count one event, and show its sample when it is time to."""
        self._used.look()
        self.counts.add(event)
        now = time.monotonic()
        every = SAMPLE_S if self._live else SAMPLE_LINES_S
        if isinstance(event, Counted) and event.sample and (self._sample is None or now - self._sampled_at >= every):
            self._sample, self._sampled_at = event.sample, now
            if self._live is None:
                self._line(f"        {self._sample.stage}/{self._sample.discipline}: {render.cut(said(self._sample.text), 160)}")

    def _line(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")  # in one: two threads write lines
        sys.stdout.flush()

    def status(self) -> str:
        """All that the board shows, in one plain line."""
        counts = self.counts
        parts = [
            f"{counts.done}/{counts.disciplines} disciplines",
            render.several(counts.rows, "row") + (f" ({counts.pace})" if counts.rate else ""),
            *_replies(counts),
            f"{render.tokens(counts.all.tokens)} tokens",
            *self._dollars(),
            counts.left,
        ]
        said, by = ", ".join(part for part in parts if part), answering.in_line(counts)
        return f"[{clock(counts.elapsed)}] {said}" + (f" | {by}" if by else "")

    def _dollars(self) -> list[str]:
        used = self._used.in_short(self.counts.all)
        return [self.counts.cost, self.counts.cost_at_end, f"budget: {used}" if used else ""]

    def drawn(self) -> RenderableType:
        """The board as it stands, no larger than the terminal."""
        counts = self.counts
        head = Table.grid(expand=True)
        head.add_column()
        head.add_column(justify="right")
        said = Text("stopping: waiting for what is paid for; again ends at once", "yellow") if self._stop.asked else Text(counts.left)
        head.add_row(Text(f"{counts.done} of {render.several(counts.disciplines, 'discipline')} done"), said)
        bar = ProgressBar(total=1.0, completed=counts.share, width=None)
        tokens = f"{render.tokens(counts.all.tokens)} tokens"
        spent, at_end, used = self._dollars()
        lines = [
            ", ".join(_replies(counts)),
            ", ".join(part for part in (tokens, spent, at_end) if part),
            used,
            f"{counts.pace}, {clock(counts.elapsed)} so far",
        ]
        above: list[RenderableType] = [head, bar, Text(), self._levels(), Text()]
        if counts.deployments:
            above += [answering.table(counts, self._console.width), Text()]
        above += [Text(f"  {line}", no_wrap=True, overflow="ellipsis") for line in lines if line]
        return Group(*above, *self._shown_sample(self._console.height - self._height(above)))

    def _height(self, shown: Sequence[RenderableType]) -> int:
        return len(self._console.render_lines(Group(*shown), pad=False))

    def _levels(self) -> Table:
        table = render.headed(["  level", "disciplines", "rows", "failed"], right=["disciplines", "rows", "failed"])
        for level in SHOWN_LEVELS:
            seen = self.counts.levels[level]
            if seen.wanted:
                failed = Text(f"{seen.failed:,}" if seen.failed else "", "red")
                table.add_row(f"  {level}", f"{seen.done:,}/{seen.wanted:,}", f"{seen.rows:,}" if seen.rows else "", failed)
        return table

    def _shown_sample(self, room: int) -> list[RenderableType]:
        """The sample, as much of it as fits into the lines that are left, one of them for the cursor; none where none does."""
        lines = min(SAMPLE_LINES, room - 3)
        if self._sample is None or lines < 1:
            return []
        width = max(20, self._console.width - 4)
        shown = Text(render.cut(said(self._sample.text), lines * (width - 8)), "italic")
        return [Text(), Text(f"  {self._sample.stage}/{self._sample.discipline}", "dim"), Padding(shown, (0, 2))]


def _replies(counts: Counts) -> list[str]:
    """What has come of the requests, as far as there is something to say."""
    whole = counts.all
    what = {
        "from the store": whole.reused, "rejected": whole.rejected, "rate limited": whole.limited, "asked again": whole.retried,
    }  # fmt: skip
    return [render.several(whole.calls, "call"), *(f"{count:,} {how}" for how, count in what.items() if count)]


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
