"""When Dagster brings a level up to date by itself: what costs nothing, as soon as what it is made from has changed."""

import dagster as dg


def when_partition_changed() -> dg.AutomationCondition:
    """For a partitioned level: missing, or its upstream partition came out different, one level a tick.

    Not `eager()`: that never fires for a level whose own partition was made before its upstream's records began.
    """
    asset = dg.AutomationCondition
    due: dg.AutomationCondition = asset.missing() | asset.any_deps_match(asset.data_version_changed()) | asset.code_version_changed()
    blocked = asset.any_deps_missing() | asset.any_deps_in_progress() | asset.in_progress()
    return due.since_last_handled() & ~blocked


def when_changed() -> dg.AutomationCondition:
    """For an unpartitioned level: some upstream partition was updated, and none since the last look.

    Not `eager()`, which would wait until none is missing. The pause keeps it out of the way of a build, which publishes for itself
    once its disciplines are done.
    """
    asset = dg.AutomationCondition
    moving = asset.any_deps_match(asset.newly_updated()) | asset.any_deps_in_progress() | asset.in_progress()
    return asset.any_deps_updated().since_last_handled() & ~moving
