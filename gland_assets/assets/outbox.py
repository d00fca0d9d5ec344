"""What a worker tells, on its way to the parent: what happened to requests summed, everything else as it comes and in order."""

import threading
from queue import Empty, SimpleQueue

from gland_assets.assets.tasks import Finished
from gland_assets.core.progress import Asked, Counted, Event

EVERY_S = 0.1  # at most, before what happened to requests is sent on


class Outbox:
    """Filled by the thread that works, emptied by the one that sends."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Event | Finished | None] = SimpleQueue()
        self._guard = threading.Lock()
        self._counted = Counted()

    def put(self, told: Asked | Event | Finished | None) -> None:
        """Tell something; None is the end. What happened to a request only adds to sums, and wakes nobody."""
        with self._guard:
            if isinstance(told, Asked):
                self._counted.add(told)
            else:
                self._send_sums()
                self._queue.put(told)

    def take(self) -> Event | Finished | None:
        """The next thing to send, as soon as there is one; None at the end."""
        while True:
            try:
                return self._queue.get(timeout=EVERY_S)
            except Empty:
                with self._guard:
                    self._send_sums()

    def _send_sums(self) -> None:
        if self._counted.parts:
            self._queue.put(self._counted)
            self._counted = Counted()
