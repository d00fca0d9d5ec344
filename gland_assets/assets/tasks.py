"""What a build and its worker processes say to each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gland_assets.core.errors import GlandError
from gland_assets.core.levels import UNPARTITIONED


@dataclass(frozen=True, slots=True)
class Orders:
    """What a worker needs to start."""

    taxonomy: Path
    warehouse: Path
    build_id: str
    share: int  # how many workers share each deployment's parallel requests


@dataclass(frozen=True, slots=True)
class Task:
    """Bring these levels of a discipline up to date; without a discipline: deduplicate and publish."""

    discipline: str | None
    levels: Sequence[str] = UNPARTITIONED


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a task. `fault` stops the whole build: nothing that comes after it could succeed."""

    worker: int
    task: Task
    fault: GlandError | None = None
