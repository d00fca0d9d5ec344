"""What Dagster's records say of a level's partitions: the latest event of each, in two queries a level."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import dagster as dg
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_TAG,
    INPUT_DATA_VERSION_TAG_PREFIX,
    INPUT_EVENT_POINTER_TAG_PREFIX,
)
from dagster._core.events import DagsterEventType

from gland_assets.assets.recipes import GROUP

FINGERPRINT_TAG = "gland/fingerprint"
"""What an unpartitioned level was made from, in one."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The latest materialization of a partition, or the latest report of a recipe."""

    number: int  # Dagster's storage id
    version: str  # of the data
    code: str = ""  # code version
    inputs: Mapping[str, str] = field(default_factory=dict)  # asset above -> version it was made from
    pointers: Mapping[str, str] = field(default_factory=dict)  # asset above -> number of the event that recorded that version
    fingerprint: str = ""  # of an unpartitioned level


class Records:
    """The records of one instance. An event is read once: what it says stays so."""

    def __init__(self, instance: dg.DagsterInstance, read: dict[int, Recorded] | None = None) -> None:
        """`read`: what was read before, by number; it is added to."""
        self.instance = instance
        self._read = {} if read is None else read

    def latest(self, key: dg.AssetKey, slugs: Collection[str]) -> dict[str, Recorded]:
        """Slug -> its latest event; those without one are left out."""
        if not slugs:
            return {}
        observed = key.path[0] == GROUP
        kind = DagsterEventType.ASSET_OBSERVATION if observed else DagsterEventType.ASSET_MATERIALIZATION
        numbers = self.instance.get_latest_storage_id_by_partition(key, kind, set(slugs))
        if unread := [number for number in numbers.values() if number not in self._read]:
            self._fetch(dg.AssetRecordsFilter(asset_key=key, storage_ids=unread), len(unread), observed)
        return {slug: self._read[number] for slug, number in numbers.items() if number in self._read}

    def latest_whole(self, key: dg.AssetKey) -> Recorded | None:
        """The latest event of an unpartitioned asset."""
        found = self._fetch(dg.AssetRecordsFilter(asset_key=key), 1, observed=False)
        return found[0] if found else None

    def _fetch(self, which: dg.AssetRecordsFilter, limit: int, observed: bool) -> list[Recorded]:
        fetch = self.instance.fetch_observations if observed else self.instance.fetch_materializations
        found = []
        for record in fetch(which, limit=limit).records:
            event = record.asset_observation if observed else record.asset_materialization
            found.append(_recorded(record.storage_id, (event and event.tags) or {}))
            self._read[record.storage_id] = found[-1]
        return found


def _recorded(number: int, tags: Mapping[str, str]) -> Recorded:
    return Recorded(
        number,
        tags.get(DATA_VERSION_TAG, ""),
        tags.get(CODE_VERSION_TAG, ""),
        _below(tags, INPUT_DATA_VERSION_TAG_PREFIX),
        _below(tags, INPUT_EVENT_POINTER_TAG_PREFIX),
        tags.get(FINGERPRINT_TAG, ""),
    )


def _below(tags: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(f"{prefix}/"): value for name, value in tags.items() if name.startswith(f"{prefix}/")}
