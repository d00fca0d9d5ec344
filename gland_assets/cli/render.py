"""The shared look of the verbs: two consoles, and numbers, money and times as people read them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import NoReturn, TextIO

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from gland_assets.core.errors import Fault, GlandError, SettingsError

UNITS = ((10**9, 10**9, "G"), (10**6, 10**6, "M"), (10**4, 10**3, "k"))
"""From how many tokens on a unit is used, how many it stands for, and its sign."""

UNBOUND = 100_000  # columns: what goes into a pipe or a file is not wrapped


class _Console(Console):
    """Tells a closed pipe to whoever prints, instead of ending the process."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def _console(file: TextIO) -> Console:
    return _Console(file=file, width=None if file.isatty() else UNBOUND, highlight=False, markup=False, emoji=False)


def out() -> Console:
    """Where results go: stdout as it is now. No colour and no wrapping where no terminal is."""
    return _console(sys.stdout)


def err() -> Console:
    """Where faults and remarks go, so that stdout stays clean: stderr as it is now."""
    return _console(sys.stderr)


def put(shown: RenderableType, console: Console | None = None) -> None:
    """Print a table or a text; where no terminal is, without the blanks that fill up its lines."""
    console = console or out()
    if console.is_terminal:
        console.print(shown)
        return
    with console.capture() as captured:
        console.print(shown)
    console.file.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def say(text: str = "", style: str = "") -> None:
    """One line of a result."""
    put(Text(text, style))


def remark(text: str) -> None:
    """One line that is no part of the result."""
    put(Text(text), err())


def columns(*right: int, pad: int = 2) -> Table:
    """A borderless table of aligned columns without a head; `right` are the places, from 0, of those that hold numbers."""
    table = Table.grid(padding=(0, pad, 0, 0))
    for place in range(max(right, default=-1) + 1):
        table.add_column(justify="right" if place in right else "left", no_wrap=place in right)
    return table


def headed(names: Sequence[str], right: Sequence[str] = (), whole: Sequence[str] = ()) -> Table:
    """A table with a quiet head; columns in `right` hold numbers, those in `whole` are never folded."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in names:
        table.add_column(name, justify="right" if name in right else "left", no_wrap=name in right or name in whole)
    return table


def tell(error: GlandError) -> None:
    """An error of the user's on stderr, without a traceback."""
    if isinstance(error, SettingsError):
        count = len(error.faults)
        remark("1 fault:" if count == 1 else f"{count} faults:")
        put(fault_list(error.faults), err())
    else:
        remark(str(error))


def fault_list(faults: Sequence[Fault]) -> Table:
    """Faults, one a line, in aligned columns: place, node, what is wrong and how to mend it."""
    table = columns()
    for fault in faults:
        place = f"{fault.file}:{fault.line}" if fault.line else fault.file
        table.add_row(f"  {place}", Text(fault.node, "bold"), f"{fault.what}; {fault.fix}")
    return table


def several(count: int, one: str, many: str | None = None) -> str:
    """`1 row`, `1,204 rows`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def tokens(count: int) -> str:
    """`812`, `12.3 k`, `4.6 M`, `1.2 G`."""
    for least, size, unit in UNITS:
        if count >= least:
            return f"{count / size:,.1f} {unit}"
    return f"{count:,}"


def size(count: int) -> str:
    """`812 B`, `12.3 kB`, `4.6 MB`, `1.2 GB`."""
    for least, sign in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= least:
            return f"{count / least:,.1f} {sign}"
    return f"{count:,} B"


def money(usd: Decimal | None) -> str:
    """`$0`, `$0.0004`, `$12.30`; two significant digits below a cent. None is an unknown price."""
    if usd is None:
        return "price unknown"
    if usd == 0:
        return "$0"
    if abs(usd) < Decimal("0.01"):
        places = -usd.adjusted() + 1
        return f"${usd.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP):f}"
    return f"${usd.quantize(Decimal('0.01'), rounding=ROUND_HALF_UP):,f}"


def duration(seconds: float) -> str:
    """`4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole < 600 else f"{round(whole / 60)} min"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def moment(when: datetime | None) -> str:
    """Local time to the minute; a dash for never."""
    return when.astimezone().strftime("%Y-%m-%d %H:%M") if when else "–"


def ago(when: datetime) -> str:
    """How long ago, roughly."""
    return f"{duration((datetime.now(UTC) - when).total_seconds())} ago"


def cut(text: str, most: int) -> str:
    """One line of at most `most` characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1].rstrip() + "…"


def some(names: Sequence[str], most: int = 6) -> str:
    """The first names, and how many more there are."""
    rest = len(names) - most
    return ", ".join(names) if rest <= 1 else ", ".join(names[:most]) + f" and {rest:,} more"


def measured(console: Console, table: Table) -> int:
    """The columns a table would take if nothing bound it."""
    wide = console.options.update(width=UNBOUND)
    return table.__rich_measure__(console, wide).maximum
