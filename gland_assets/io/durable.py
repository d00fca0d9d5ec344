"""Files that are replaced in one move: written under a temporary name, fsynced, renamed. A reader finds the old or the new one, whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from gland_assets.core.errors import WarehouseError


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the body ends, and vanishes when the body raises.

    Raises WarehouseError when the system refuses; what stood at `path` then still stands.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            # Rename, not write in place: a reader that is mid-scan keeps the old file.
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise WarehouseError(
            f"{path} cannot be written: {error.strerror or error}; free space or give write access there, then run the same command again"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Replace a UTF-8 text file. Raises as `replacing`."""
    with replacing(path) as file:
        file.write(text.encode("utf-8"))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
