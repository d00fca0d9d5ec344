"""One object for each file and process: the kernel's locks are the process's, not the opener's, and end when it closes the file once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar


class Closes(Protocol):
    """Has something open."""

    def close(self) -> None:
        """Lets go of it."""


F = TypeVar("F", bound=Closes)


class OneEach(Generic[F]):
    """The objects in use, by the file that each has open."""

    def __init__(self, make: Callable[[Path], F]) -> None:
        self._make = make
        self._guard = threading.Lock()
        self._open: dict[Path, tuple[F, int]] = {}  # and how many use it

    def open(self, path: Path) -> F:
        """The one object of the file, for one user more. Raises what making it raises."""
        path = path.resolve()
        with self._guard:
            file, users = self._open.get(path) or (self._make(path), 0)
            self._open[path] = (file, users + 1)
            return file

    def release(self, file: F) -> None:
        """One user less; without any the object is closed."""
        with self._guard:
            path, users = next((path, users) for path, (each, users) in self._open.items() if each is file)
            if users > 1:
                self._open[path] = (file, users - 1)
            else:
                del self._open[path]
                file.close()
