"""What a partition was made from, in the tags by which Dagster tells stale from fresh.

Dagster takes a partition for stale when an event after the recorded pointer gives another version than the event at the pointer. It records
as pointer whatever came last when the step began, so what was edited meanwhile would pass for used; and as version of an observed asset
that of the empty string. So both are written here, from what the partition says of itself.
"""

from collections.abc import Mapping

import dagster as dg
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_TAG,
    NULL_EVENT_POINTER,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)

from gland_assets.assets.recipes import recipe_key
from gland_assets.assets.records import FINGERPRINT_TAG, Recorded, Records
from gland_assets.core.levels import UPSTREAM
from gland_assets.core.plan import recipe_used, shared_recipe_hash
from gland_assets.core.project import Project
from gland_assets.core.recipes import version_of
from gland_assets.core.state import PartitionMeta

NOWHERE = "-1"
"""A pointer before every event: the version used is not the one on record, so whatever is on record is news."""

PATH = {"subfields": ("fields",), "disciplines": ("subfields",)}
"""Edges that show a node's path. Nothing is made from the node above, so they make nothing stale: their pointers are none."""

OTHER = "another"
"""Stands for the recipe of an unpartitioned level that was not made from what is on record."""

GONE = "its file is gone"
"""Stands for the recipe of a partition that Dagster knows and that is no longer there: nothing takes back an event."""

Latest = Mapping[dg.AssetKey, Recorded | None]


def parents(level: str) -> list[dg.AssetKey]:
    """The assets above a level, as Dagster draws them."""
    return [*map(dg.AssetKey, (*PATH.get(level, ()), *UPSTREAM[level])), recipe_key(level)]


def versions_used(meta: PartitionMeta) -> dict[dg.AssetKey, str]:
    """Asset above -> the version of it that the partition was made from."""
    return {recipe_key(meta.asset): recipe_used(meta), **{dg.AssetKey(name): meta.upstream.get(name, "") for name in UPSTREAM[meta.asset]}}


def tags(level: str, used: Mapping[dg.AssetKey, str], latest: Latest) -> dict[str, str]:
    """The tags that say what a partition was made from. `latest`: the event on record of each asset above."""
    found: dict[str, str] = {}
    for name in PATH.get(level, ()):
        found |= {get_input_data_version_tag(dg.AssetKey(name)): "", get_input_event_pointer_tag(dg.AssetKey(name)): NULL_EVENT_POINTER}
    for key, version in used.items():
        event = latest.get(key)
        pointer = str(event.number) if event and event.version == version else NOWHERE
        found |= {get_input_data_version_tag(key): version, get_input_event_pointer_tag(key): pointer}
    return found


def tags_of(instance: dg.DagsterInstance, meta: PartitionMeta) -> dict[str, str]:
    """The tags of a partition that a step has just brought up to date."""
    records, used = Records(instance), versions_used(meta)
    return tags(meta.asset, used, {key: records.latest(key, [meta.discipline]).get(meta.discipline) for key in used})


def shared_tags(project: Project, level: str, fingerprint: str) -> dict[str, str]:
    """By which recipe an unpartitioned level was made, and from what. Of the partitions above, Dagster's own tags are right."""
    return {get_input_data_version_tag(recipe_key(level)): shared_recipe_hash(project, level), FINGERPRINT_TAG: fingerprint}


def standing_tags(meta: PartitionMeta, used: Mapping[dg.AssetKey, str], latest: Latest) -> dict[str, str]:
    """All the tags that Dagster itself would give a partition, for one that it did not see made."""
    own = {DATA_VERSION_TAG: meta.content_hash, CODE_VERSION_TAG: version_of(meta.recipe)}
    return own | tags(meta.asset, used, latest)


def says_so(recorded: Recorded | None, meta: PartitionMeta, used: Mapping[dg.AssetKey, str], latest: Latest) -> bool:
    """Whether the event on record tells of the partition as it stands, and calls it stale exactly when it is."""
    if recorded is None:
        return False
    same = recorded.version == meta.content_hash and recorded.code == version_of(meta.recipe)
    if not same or any(recorded.inputs.get(key.to_user_string()) != version for key, version in used.items()):
        return False
    back = [key for key, version in used.items() if (event := latest.get(key)) and event.version == version]
    return all(recorded.pointers.get(key.to_user_string()) != NOWHERE for key in back)
