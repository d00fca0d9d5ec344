"""Ctrl-C, SIGTERM and a hang-up as a flag that a build looks at; a second one ends the process at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
from types import FrameType

from gland_assets.core.errors import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SHOW_CURSOR = b"\x1b[?25h"


class Stopping:
    """While entered, the first signal sets `asked`, and the second ends everything. Only the main thread may enter."""

    def __init__(self) -> None:
        self.asked = False
        self.told = True  # whether somebody else tells the user; else the signal itself does

    def __enter__(self) -> Stopping:
        # An ignored hang-up stays so: it is what `nohup` is for. Ctrl-C is heard though the shell of a script ignores it for what it starts
        # in the background: to stop loses nothing, to go on costs money.
        deaf = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else set()
        self._before = {number: signal.signal(number, self._heard) for number in SIGNALS if number not in deaf}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __call__(self) -> bool:
        """Whether to stop, as run_build asks it."""
        return self.asked

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            _end_at_once()
        self.asked = True
        if not self.told:
            # Not print: the signal may have come in the middle of one.
            os.write(2, b"stopping: waiting for what is under way, which is paid for; once more ends at once\n")


def _end_at_once() -> None:
    """End the workers and this process. Replies that were under way are lost; what was stored stays."""
    for child in multiprocessing.active_children():
        child.kill()
    if os.isatty(1):
        os.write(1, SHOW_CURSOR)
    os.write(2, b"\nended; what was stored is kept\n")
    os._exit(Stopped.exit_code)
