"""What Dagster starts by itself: what costs nothing, always; what costs money, once `[automation] paid = true` stands in the taxonomy.

Both go by the plan, in one sensor and so by one road: at most one run is under way, and the same state never starts a second one.
Not Dagster's automation conditions: those go by events, and an event that falls between two looks beside another is lost.
"""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from gland_assets.assets.lost import UNFINISHED
from gland_assets.assets.whole import Whole, whole_levels
from gland_assets.core.errors import GlandError
from gland_assets.core.hashing import digest
from gland_assets.core.plan import Metas, Plan, make_plan, recipe_hashes
from gland_assets.core.project import Project
from gland_assets.io.partitions import Partitions
from gland_assets.io.project import load_project

NAME = "keep_up_to_date"
SECONDS = 15  # between two looks
WANTED = "gland/wanted"
"""The tag of a run started here that says what was declared then."""

UNDER_WAY = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, *UNFINISHED]
MEANING = (
    "Brings signatures, contamination, duplicates and the published dataset in step with questions and answers, however those were "
    "made: that costs nothing. Asks a model only when taxonomy.toml says [automation] paid = true: then it brings up to date whatever an "
    "edit changes."
)


def keep_up_to_date(taxonomy: Path, warehouse: Path, paid: dg.JobDefinition, free: dg.JobDefinition) -> dg.SensorDefinition:
    """The sensor that starts the jobs `paid` and `free` when it may; on from the start."""

    @dg.sensor(
        name=NAME,
        jobs=[paid, free],
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=MEANING,
    )
    def keep(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """One look at the switch, at what is out of date, and at what is under way."""
        try:
            project = load_project(taxonomy)
        except GlandError as fault:
            return dg.SkipReason(f"{taxonomy.name} is not usable as it stands: {fault}")
        if under_way := context.instance.get_runs(dg.RunsFilter(statuses=UNDER_WAY), limit=1):
            return dg.SkipReason(f"waits for the end of run {under_way[0].run_id[:8]}")
        metas = Partitions(warehouse).metas()
        plan = make_plan(project, metas)
        if project.automation.paid and plan.out_of_date():
            wanted = digest(sorted(recipe_hashes(project, metas).items()))
            latest = context.instance.get_runs(dg.RunsFilter(job_name=paid.name, tags={WANTED: wanted}), limit=1)
            if latest and latest[0].status is dg.DagsterRunStatus.CANCELED:
                return dg.SkipReason(f"the run for this was canceled; the next edit, or the job {paid.name} by hand, starts another")
            return dg.RunRequest(run_key=_state(project, plan, metas), job_name=paid.name, tags={WANTED: wanted})
        following, whole = plan.free(), whole_levels(project, warehouse, metas)
        if following.out_of_date() or _behind(whole, metas):
            # Tried again after an hour, since trying costs nothing.
            state = [_state(project, following, metas), [each.fingerprint for each in whole.values()], f"{datetime.now(UTC):%Y%m%d%H}"]
            return dg.RunRequest(run_key=digest(state), job_name=free.name)
        left = len(plan.out_of_date())
        if not left:
            return dg.SkipReason("everything is up to date")
        wait = "1 discipline waits" if left == 1 else f"{left} disciplines wait"
        return dg.SkipReason(f"{wait} for a build; paid = true under [automation] in the taxonomy lets it start by itself")

    return keep


def _behind(whole: dict[str, Whole], metas: Metas) -> bool:
    """Whether near duplicates or the dataset differ from what stands, or are not made and something stands."""
    something = any(level == "signatures" for level, _ in metas)
    return any(each.state == "stale" or (each.state == "missing" and something) for each in whole.values())


def _state(project: Project, plan: Plan, metas: Metas) -> str:
    """What is out of date, from what stands to what is wanted; what came out the same, with rows still unanswered, is the same state."""
    recipes = recipe_hashes(project, metas)
    found = []
    for part in plan.partitions:
        place = (part.asset, part.discipline)
        if part.state in ("missing", "stale", "waiting"):
            meta = metas.get(place)
            stands = meta and ([meta.fingerprint, meta.content_hash] if meta.unanswered else meta.stamp)
            found.append([*place, part.state, part.because, stands, recipes[place]])
    return digest("out of date", found)
