"""What a stored partition says of itself: how it was made, from what, and what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class PartitionMeta:
    """The self-description in a partition file's own metadata."""

    asset: str
    discipline: str
    fingerprint: str  # hash(recipe, content hashes of the upstream partitions)
    content_hash: str  # of the rows it holds
    recipe: str  # canonical JSON
    upstream: dict[str, str] = field(default_factory=dict)  # asset -> content hash it was made from
    rows: int = 0  # rows that stand
    failed: int = 0  # failure rows
    imported: int = 0  # of the rows that stand, the last ones: nobody was asked for them
    unanswered: int = 0  # failure rows that no provider answered: the next build asks again
    calls: int = 0  # paid for while it was made
    reused: int = 0  # answered from the store
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: str | None = None  # decimal dollars; None: a price is unknown
    retries: int = 0  # calls that brought no reply and were made again
    limited: int = 0  # of those, the ones answered with 429
    rejected: int = 0  # replies, paid or reused, that were not used
    answered: dict[str, int] = field(default_factory=dict)  # deployment -> replies, paid or reused
    looked_for: list[dict[str, Any]] = field(default_factory=list)  # benchmark sets, hit or not: `benchmark`, `split`, `items`
    build_id: str = ""
    written_at: datetime | None = None  # UTC
    stamp: str = ""  # differs at every write
    gland_version: str = ""

    @property
    def unusable(self) -> int:
        """Failure rows of which some provider's reply could not be used, or that it refused to reply to: asked again only when told to."""
        return self.failed - self.unanswered

    def plain(self) -> dict[str, Any]:
        """As JSON values, as they stand in a file's metadata."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return values | {"written_at": self.written_at.isoformat() if self.written_at else None}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> PartitionMeta:
        """The inverse of `plain`. Raises TypeError or ValueError for anything else."""
        written_at = plain.get("written_at")
        return cls(**{**plain, "written_at": datetime.fromisoformat(written_at) if written_at else None})
