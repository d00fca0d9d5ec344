"""The one partitioning: a partition is a discipline, its key the slug. Synced from the taxonomy, so an edit shows without a restart."""

import dagster as dg

from gland_assets.core.project import Project

PARTITIONS_NAME = "discipline"

by_discipline = dg.DynamicPartitionsDefinition(name=PARTITIONS_NAME)


def sync_partitions(instance: dg.DagsterInstance, project: Project) -> tuple[list[str], list[str]]:
    """Make Dagster's partition keys those of the taxonomy. Returns (added, removed) slugs; a removed key leaves its events behind."""
    declared = [discipline.slug for discipline in project.disciplines()]
    known = set(instance.get_dynamic_partitions(PARTITIONS_NAME))
    added = [slug for slug in declared if slug not in known]
    removed = sorted(known.difference(declared))
    if added:
        instance.add_dynamic_partitions(PARTITIONS_NAME, added)
    for slug in removed:
        instance.delete_dynamic_partition(PARTITIONS_NAME, slug)
    return added, removed
