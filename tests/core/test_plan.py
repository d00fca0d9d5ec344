"""Laws of fingerprints and of the plan: exactly what an edit touches is out of date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.hashing import canonical, derive_seed, digest
from gland_assets.core.levels import GENERATED, PARTITIONED, UPSTREAM
from gland_assets.core.plan import Plan, dedup_fingerprint, dedup_recipe, make_plan, recipe_hash, recipe_used, shared_recipe_hash
from gland_assets.core.project import Dedup, Project
from gland_assets.core.recipes import changes, declared_content_hash, declared_rows, fingerprint, recipe
from gland_assets.core.state import PartitionMeta
from tests.projects import small_project, with_discipline, with_settings, with_stage

Metas = dict[tuple[str, str], PartitionMeta]


def built(project: Project, contents: dict[tuple[str, str], str] | None = None) -> Metas:
    """What the partitions say after a whole build; content hashes may be given, and are otherwise the name of the partition."""
    metas: Metas = {}
    for discipline in project.disciplines():
        rows = declared_rows(project, discipline.slug)
        for level in PARTITIONED:
            made_by = recipe(project, level, discipline)
            upstream = {name: metas[name, discipline.slug].content_hash for name in UPSTREAM[level]}
            held = (contents or {}).get((level, discipline.slug), f"{level} of {discipline.slug}")
            content = declared_content_hash(level, rows[level]) if level in rows else held
            metas[level, discipline.slug] = PartitionMeta(
                level, discipline.slug, fingerprint(made_by, upstream), content, canonical(made_by), upstream, stamp="first"
            )
    return metas


def states(plan: Plan, slug: str) -> dict[str, str]:
    return {level: part.state for level, part in plan.of(slug).items() if part.state != "fresh"}


PROJECT = small_project()
BELOW_SUBJECTS = {
    "subjects": "stale",
    "syllabi": "waiting",
    "questions": "waiting",
    "answers": "waiting",
    "signatures": "waiting",
    "contamination": "waiting",
}
LATE_ANSWERS = {"answers": "stale", "contamination": "waiting"}
EDITS: dict[str, tuple[Callable[[Project], Project], dict[str, str]]] = {
    "title": (lambda p: with_discipline(p, "logic", title="The Art of Logic"), {}),
    "sources": (lambda p: with_discipline(p, "logic", sources=("glan",)), {}),
    "route of a deployment": (lambda p: _deployed(p, "main", route="azure/x", key_env="K", rpm=1, max_parallel_requests=3), {}),
    "another fallback": (lambda p: with_stage(p, "logic", "answers", models=("main",)), {}),
    "subject queries": (lambda p: with_settings(p, "logic", subject_queries=2), BELOW_SUBJECTS),
    "sessions": (
        lambda p: with_settings(p, "logic", sessions=(3, 4)),
        {"syllabi": "stale", "questions": "waiting", "answers": "waiting", "signatures": "waiting", "contamination": "waiting"},
    ),
    "pairs": (
        lambda p: with_settings(p, "logic", pairs=9),
        {"questions": "stale", "answers": "waiting", "signatures": "waiting", "contamination": "waiting"},
    ),
    "seed": (
        lambda p: with_settings(p, "logic", seed=1),
        BELOW_SUBJECTS | {"syllabi": "stale", "questions": "stale"},
    ),
    "temperature of answers": (lambda p: with_stage(p, "logic", "answers", temperature=0.1), LATE_ANSWERS),
    "first model of answers": (lambda p: with_stage(p, "logic", "answers", models=("spare", "main")), LATE_ANSWERS),
}


def _deployed(project: Project, name: str, **changed: object) -> Project:
    return replace(project, deployments={**project.deployments, name: replace(project.deployments[name], **changed)})  # type: ignore[arg-type]


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_one_discipline_puts_exactly_this_out_of_date(edit: str) -> None:
    change, expected = EDITS[edit]
    plan = make_plan(change(PROJECT), built(PROJECT))
    assert states(plan, "logic") == expected
    assert list(plan.out_of_date()) == (["logic"] if expected else [])


def test_moving_a_discipline_remakes_its_node_and_asks_for_nothing() -> None:
    moved = small_project({"logic": ("crafts", "kitchen"), "algebra": ("formal", "numbers"), "cooking": ("crafts", "kitchen")})
    plan = make_plan(moved, built(PROJECT))
    assert states(plan, "logic") == dict.fromkeys(("fields", "subfields", "disciplines"), "stale")
    assert plan.of("logic")["disciplines"].because == ("subfield reasoning → kitchen",)


def test_a_prompt_that_is_edited_touches_its_level_in_every_discipline() -> None:
    edited = replace(PROJECT, prompts={**PROJECT.prompts, "answers.txt": "Think. {question} Answer in {language}."})
    plan = make_plan(edited, built(PROJECT))
    assert {slug: states(plan, slug) for slug in ("logic", "algebra", "cooking")} == {
        slug: LATE_ANSWERS for slug in ("logic", "algebra", "cooking")
    }
    assert plan.of("logic")["answers"].because == ("prompt answers.txt edited",)


def test_the_language_touches_only_levels_whose_prompt_shows_it() -> None:
    assert states(make_plan(replace(PROJECT, language="fr"), built(PROJECT)), "logic") == LATE_ANSWERS


def test_nothing_is_out_of_date_after_a_build_and_everything_before_one() -> None:
    assert make_plan(PROJECT, built(PROJECT)).out_of_date() == {}
    assert make_plan(PROJECT, {}).out_of_date() == {slug: list(PARTITIONED) for slug in ("logic", "algebra", "cooking")}


def test_a_level_whose_upstream_came_out_the_same_stays_fresh() -> None:
    """Early cut-off: syllabi made anew with the same content leave questions alone; with other content they put them out of date."""
    before = built(PROJECT)
    again = before | {("syllabi", "logic"): replace(before["syllabi", "logic"], stamp="second")}
    assert make_plan(PROJECT, again).out_of_date() == {}
    other = before | {("syllabi", "logic"): replace(before["syllabi", "logic"], content_hash="another syllabus")}
    assert states(make_plan(PROJECT, other), "logic") == {
        "questions": "stale",
        "answers": "waiting",
        "signatures": "waiting",
        "contamination": "waiting",
    }
    assert make_plan(PROJECT, other).of("logic")["questions"].because == ("syllabi changed",)


def test_a_level_below_one_that_is_late_is_stale_itself_once_what_it_was_made_from_has_changed() -> None:
    before = built(PROJECT)
    other = before | {("questions", "logic"): replace(before["questions", "logic"], content_hash="other questions")}
    plan = make_plan(with_settings(PROJECT, "logic", pairs=9), other)
    assert states(plan, "logic") == dict.fromkeys(("questions", "answers", "signatures", "contamination"), "stale")
    assert plan.of("logic")["answers"].because == ("questions changed", "questions are out of date")


def test_what_costs_nothing_is_what_can_be_signed_from_the_questions_that_stand() -> None:
    before = built(PROJECT)
    edited = with_settings(replace(PROJECT, dedup=Dedup(ngram=4)), "logic", pairs=9)
    del before["questions", "cooking"], before["signatures", "algebra"]
    assert make_plan(edited, before).free().out_of_date() == {"logic": ["signatures"], "algebra": ["signatures"]}
    assert make_plan(PROJECT, built(PROJECT)).free().out_of_date() == {}


def test_a_recipe_that_was_used_is_told_from_what_stands() -> None:
    metas, discipline = built(PROJECT), PROJECT.discipline("logic")
    for level in PARTITIONED:
        meta = metas[level, "logic"]
        now = recipe_hash(PROJECT, level, discipline, {})
        assert recipe_used(meta) == now
        assert recipe_used(replace(meta, unanswered=2)) != now
        assert recipe_used(replace(meta, fingerprint="of an older gland")) != now


def test_the_recipe_of_a_whole_level_changes_with_what_it_is_made_from_beside_rows() -> None:
    def versions(project: Project) -> tuple[str, str]:
        return shared_recipe_hash(project, "duplicates"), shared_recipe_hash(project, "dataset")

    duplicates, dataset = versions(PROJECT)
    assert versions(with_stage(PROJECT, "logic", "answers", temperature=0.1)) == (duplicates, dataset)
    threshold = versions(replace(PROJECT, dedup=Dedup(threshold=0.5)))
    assert (threshold[0] != duplicates, threshold[1]) == (True, dataset)
    renamed = versions(with_discipline(PROJECT, "logic", name="Reason"))
    assert (renamed[0], renamed[1] != dataset) == (duplicates, True)
    smaller = versions(small_project({"logic": ("formal", "reasoning")}))
    assert smaller[0] != duplicates and smaller[1] != dataset


@given(st.sampled_from(GENERATED), st.integers(0, 3), st.integers(0, 3))
def test_failed_rows_put_their_level_out_of_date_only_when_they_are_to_be_asked_again(level: str, rejected: int, unanswered: int) -> None:
    metas = built(PROJECT)
    metas[level, "logic"] = replace(metas[level, "logic"], failed=rejected + unanswered, unanswered=unanswered)
    below = dict.fromkeys(PARTITIONED[PARTITIONED.index(level) + 1 :], "waiting") if level != "answers" else {"contamination": "waiting"}
    plain, again = make_plan(PROJECT, metas), make_plan(PROJECT, metas, retry_failures=True)
    assert (plain.retry_failures, again.retry_failures) == (False, True)
    assert states(plain, "logic") == ({level: "stale"} | below if unanswered else {})
    assert states(again, "logic") == ({level: "stale"} | below if rejected or unanswered else {})
    because = again.of("logic")[level].because
    assert (f"{rejected} failed {'row is' if rejected == 1 else 'rows are'} asked again" in because) == bool(rejected)
    assert all(states(plan, slug) == {} for plan in (plain, again) for slug in ("algebra", "cooking"))


def test_a_removed_discipline_leaves_orphans_and_nothing_to_do() -> None:
    smaller = small_project({"logic": ("formal", "reasoning"), "algebra": ("formal", "numbers")})
    plan = make_plan(smaller, built(PROJECT))
    assert {part.discipline for part in plan.orphans()} == {"cooking"}
    assert plan.out_of_date() == {}


def test_duplicates_wait_for_what_is_compared_and_are_stale_by_their_threshold() -> None:
    metas = built(PROJECT)
    assert make_plan(PROJECT, metas).duplicates.state == "missing"
    made_by = canonical(dedup_recipe(PROJECT))
    metas["duplicates", "all"] = PartitionMeta("duplicates", "all", dedup_fingerprint(PROJECT, metas), "found", made_by)
    assert make_plan(PROJECT, metas).duplicates.state == "fresh"
    other = replace(PROJECT, dedup=Dedup(threshold=0.5))
    assert (make_plan(other, metas).duplicates.state, make_plan(other, metas).duplicates.because) == ("stale", ("threshold 0.7 → 0.5",))
    later = make_plan(with_stage(PROJECT, "logic", "answers", temperature=0.1), metas).duplicates
    assert (later.state, later.because) == ("waiting", ("answers are out of date", "contamination is out of date"))
    fewer = small_project({"logic": ("formal", "reasoning")})
    assert make_plan(fewer, metas).duplicates.because == ("other questions to compare",)


def test_only_the_disciplines_asked_for_are_planned() -> None:
    assert list(make_plan(PROJECT, {}, only=["cooking"]).out_of_date()) == ["cooking"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=8), values, max_size=5), st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
def test_a_fingerprint_depends_on_values_and_not_on_order(made_by: dict[str, object], upstream: dict[str, str]) -> None:
    turned = dict(reversed(made_by.items()))
    assert fingerprint(made_by, upstream) == fingerprint(turned, dict(reversed(upstream.items())))
    assert fingerprint({**made_by, "another setting": 1}, upstream) != fingerprint(made_by, upstream)


@given(values, values)
def test_digests_are_equal_exactly_when_the_canonical_forms_are(one: object, other: object) -> None:
    assert (digest(one) == digest(other)) == (canonical([one]) == canonical([other]))
    assert 0 <= derive_seed(one) < 2**31


@given(st.dictionaries(st.text(max_size=5), values, max_size=4), st.dictionaries(st.text(max_size=5), values, max_size=4))
def test_changes_names_exactly_what_differs(old: dict[str, object], new: dict[str, object]) -> None:
    assert bool(changes(old, new)) == any(old.get(name) != new.get(name) for name in old.keys() | new.keys())


def test_imported_rows_put_questions_and_answers_out_of_date_and_nothing_else() -> None:
    metas = built(PROJECT)
    given = PartitionMeta("imported", "logic", "i", "one content", "{}")
    before = metas | {("imported", "logic"): given}
    plan = make_plan(PROJECT, before)
    assert states(plan, "logic") == {"questions": "stale", "answers": "stale", "signatures": "waiting", "contamination": "waiting"}
    assert plan.of("logic")["questions"].because == ("imported rows changed",)
    assert plan.of("logic")["answers"].because == ("imported rows changed", "questions are out of date")
    assert states(plan, "algebra") == {} and plan.orphans() == []
    for level in ("questions", "answers"):
        made_by = recipe(PROJECT, level, PROJECT.discipline("logic"), "one content")
        meta = metas[level, "logic"]
        before[level, "logic"] = replace(meta, fingerprint=fingerprint(made_by, meta.upstream), recipe=canonical(made_by))
    assert states(make_plan(PROJECT, before), "logic") == {}
    assert states(make_plan(PROJECT, before | {("imported", "logic"): replace(given, content_hash="other")}), "logic") != {}
    after = {key: meta for key, meta in before.items() if key != ("imported", "logic")}
    assert make_plan(PROJECT, after).of("logic")["questions"].because == ("imported rows changed",)


@given(st.sampled_from(PARTITIONED))
def test_a_discipline_without_imports_is_made_by_what_it_was_made_by(level: str) -> None:
    for discipline in PROJECT.disciplines():
        assert "imported" not in recipe(PROJECT, level, discipline)
        assert ("imported" in recipe(PROJECT, level, discipline, "c")) == (level in ("questions", "answers"))
