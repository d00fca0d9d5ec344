"""Every edit of docs/edits.md and its exact consequences, counted in the requests that arrive at a local server.

The edits that make something stand in tests/edits.py and are built in rounds, each from a copy of the same built project. The others are
applied one after another to one copy.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gland_assets.core.levels import PARTITIONED
from gland_assets.io.partitions import ALL, Partitions
from gland_assets.io.project import PROMPTS
from tests.cli.running import environment, gland
from tests.editing import SLUGS, Asked, Base, Seen, arrived, bodies, build, foreseen, late, make_base, plan
from tests.edits import MORE, NOTHING, ROUNDS, TAXONOMY, Edit
from tests.server import ModelServer

DOCS = (Path(__file__).parents[1] / "docs" / "edits.md").read_text(encoding="utf-8")
LATER = """import gland_assets
gland_assets.__version__ = "99.0"
"""
ELSEWHERE = {
    "a field's or subfield's `name`, its slug kept",
    "a discipline removed",
    "a discipline put back",
    "`threshold` or `across` of `[dedup]`",
    "a set of `[decontaminate]` added, taken out, changed in its settings or in what its files hold",
    "code that leaves the recipe versions alone",
    "an edit undone before a build",
    "an edit undone after it was built",
    "questions or pairs imported into a discipline",
    "the same file imported again",
    "an import taken back",
    "a reference imported or taken back",
}
"""Rows of the document with a test of their own."""
RAISED = """from gland_assets.core.levels import RECIPE_VERSION
RECIPE_VERSION["questions"] = "2"
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, _running_server: ModelServer) -> Base:
    _running_server.reset()
    return make_base(tmp_path_factory.mktemp("base") / "project", _running_server)


@pytest.fixture(scope="module")
def quiet(base: Base, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One copy for all that makes nothing."""
    folder = base.copy(tmp_path_factory.mktemp("quiet") / "project")
    (folder / "more.toml").write_text(MORE)
    return folder


def edit(folder: Path, base: Base, change: Mapping[str, str], file: str = TAXONOMY) -> None:
    path = folder / file
    text = path.read_text()
    for old, new in change.items():
        old, new = (part.replace("{url}", base.url) for part in (old, new))
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text)


def later_code(folder: Path, text: str) -> dict[str, str]:
    """An environment in which every process of gland, workers too, finds the code changed by `text` before it runs."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(text)
    return {"PYTHONPATH": f"{folder}:{environment()['PYTHONPATH']}"}


def states(edits: tuple[Edit, ...]) -> dict[str, dict[str, str]]:
    """What all the edits together put out of date: a level that waits for one edit may be stale by another."""
    found: dict[str, dict[str, str]] = {}
    for each in edits:
        for slug, levels in each.late.items():
            for level, state in levels.items():
                if found.setdefault(slug, {}).get(level, "waiting") == "waiting":
                    found[slug][level] = state
    return found


@pytest.mark.parametrize("name", ROUNDS)
def test_what_edits_put_out_of_date_what_they_ask_and_what_they_leave(name: str, base: Base, server: ModelServer, tmp_path: Path) -> None:
    round, was = ROUNDS[name], base.seen
    folder = base.copy(tmp_path / "project")
    for each in round.edits:
        edit(folder, base, each.change, each.file)
    env = later_code(tmp_path / "later", LATER + RAISED) if round.later_code else None
    planned = plan(folder, env=env)
    expected = states(round.edits)
    found = late(planned)
    assert {slug for slug, levels in found.items() if "orphan" in levels.values()} == set(round.orphans)
    for each in round.edits:
        assert {slug: found.get(slug) for slug in each.late} == {slug: expected[slug] for slug in each.late}, each.row
    assert set(planned["disciplines"]) == expected.keys() == found.keys() - set(round.orphans)
    told = foreseen(folder, planned["disciplines"], env)

    a_subject = was.subjects["music"][min(was.subjects["music"])]
    for written, read, unless in round.alike:
        server.take_for(written, read, unless.replace("{subject}", a_subject))
    build(folder, env)
    now = Seen(folder)
    came = arrived(server, was, now)

    wanted: Asked = Counter()
    for each in round.edits:
        own = requests(each, was, now)
        assert {key: came[key] for key in own} == own, each.row
        sure = {key: count for key, count in own.items() if key[0] not in each.guessed}
        assert {key: told[key] for key in sure} == sure, each.row
        assert all(0 < told[stage, slug] < most for stage, most in each.below.items() for slug in each.late), each.row
        wanted |= own
    assert came == wanted
    sent = bodies(server)
    assert len(set(sent)) == len(sent) == server.answered, "something was paid for twice"
    again = base.bodies.intersection(sent)
    assert not again or all(round.other_weights and round.other_weights in body for body in again), "something was paid for already"

    stood = {(slug, level) for each in round.edits for slug, levels in each.stand.items() for level in levels}
    made = {key for key, held in now.files.items() if was.files.get(key) != held}
    assert made == {(slug, level) for slug, levels in expected.items() for level in levels} - stood

    assert {slug: len(rows) for slug, rows in now.dataset.items()} == round.pairs
    new = {
        slug: sum(was.dataset.get(slug, {}).get(identity) != row for identity, row in rows.items()) for slug, rows in now.dataset.items()
    }
    assert new == {slug: came["answers", slug] for slug in now.dataset}, "a row stays as it was unless its answer is asked for"
    assert now.above == {(each.slug, each.subfield, each.field) for each in now.declared}

    assert_nothing_to_do(folder, server, env)
    if round.undone:
        base.undo(folder)
        planned = plan(folder)
        assert set(planned["disciplines"]) == expected.keys() and planned["requests"]["calls"] == 0
        build(folder)
        assert server.count == 0, "what stood before is asked for again"
        assert Seen(folder).dataset == was.dataset


def requests(edit: Edit, was: Seen, now: Seen) -> Asked:
    """What an edit must ask for, by stage and discipline."""
    found: Asked = Counter()
    for slug, stages in edit.asked.items():
        for stage, count in stages.items():
            found[stage, slug] = count if isinstance(count, int) else count(was, now, slug)
    return found


def assert_nothing_to_do(folder: Path, server: ModelServer, env: dict[str, str] | None = None) -> None:
    """Neither plan nor build finds anything to make or to ask for."""
    server.reset()
    planned = plan(folder, env=env)
    assert {state for levels in late(planned).values() for state in levels.values()} <= {"orphan"}
    assert (planned["disciplines"], planned["requests"]["calls"], planned["duplicates"]["state"]) == ([], 0, "fresh")
    assert "Nothing to do" in (build(folder, env) if env else gland(folder, "build", "--yes").out)
    assert server.count == 0


def assert_as_before(folder: Path, base: Base) -> None:
    """Every partition file and every row is what the first build left."""
    now = Seen(folder)
    assert (now.dataset, now.files) == (base.seen.dataset, base.seen.files)


@pytest.mark.parametrize("row, number", [(row, number) for row, changes in NOTHING.items() for number in range(len(changes))])
def test_edits_that_make_nothing(row: str, number: int, quiet: Path, base: Base, server: ModelServer) -> None:
    edit(quiet, base, NOTHING[row][number])
    try:
        assert_nothing_to_do(quiet, server)
        assert_as_before(quiet, base)
    finally:
        base.undo(quiet)


def test_a_line_at_the_end_of_a_prompt_and_a_copy_of_the_packaged_one_are_no_edits(quiet: Path, base: Base, server: ModelServer) -> None:
    copy = quiet / "prompts" / "answers.txt"
    copy.write_text((PROMPTS / copy.name).read_text() + "\n\n")
    edit(quiet, base, {"in {language}.": "in {language}.\n"}, "prompts/subjects.ask.txt")
    try:
        assert_nothing_to_do(quiet, server)
    finally:
        copy.unlink()
        base.undo(quiet)


def test_edits_undone_before_a_build_are_none(quiet: Path, base: Base, server: ModelServer) -> None:
    for each in (each for round in ROUNDS.values() for each in round.edits if each.change):
        edit(quiet, base, each.change, each.file)
        assert plan(quiet)["disciplines"], each.row
        base.undo(quiet)
    assert_nothing_to_do(quiet, server)
    assert_as_before(quiet, base)


def test_other_code_with_the_same_recipe_versions_makes_nothing(quiet: Path, base: Base, server: ModelServer, tmp_path: Path) -> None:
    assert_nothing_to_do(quiet, server, later_code(tmp_path / "later", LATER))
    assert_as_before(quiet, base)


def test_a_discipline_removed_leaves_the_dataset_and_put_back_is_there_again(quiet: Path, base: Base, server: ModelServer) -> None:
    edit(quiet, base, {'    "Logic",\n': ""})
    assert late(plan(quiet)) == {"logic": dict.fromkeys(PARTITIONED, "orphan")}
    assert "Nothing to ask for" in gland(quiet, "build", "--yes").out
    assert Seen(quiet).dataset == {slug: rows for slug, rows in base.seen.dataset.items() if slug != "logic"}
    assert_nothing_to_do(quiet, server)
    base.undo(quiet)
    assert late(plan(quiet)) == {}
    assert "Nothing to ask for" in gland(quiet, "build", "--yes").out
    assert_as_before(quiet, base)
    assert server.count == 0


def test_a_plan_of_moved_nodes_reads_as_what_it_is(quiet: Path, base: Base) -> None:
    edit(quiet, base, {'name = "Reasoning"': 'name = "Thought"\n  slug = "reasoning"'})
    said = gland(quiet, "plan").out
    base.undo(quiet)
    assert said == (
        "2 of 3 disciplines out of date.\n\n  2 disciplines\n    logic, statistics\n"
        "    ~ subfields  to be made again  name Reasoning → Thought\n\n  no model is asked\n"
    )


def test_threshold_and_across_touch_duplicates_alone(quiet: Path, base: Base, server: ModelServer) -> None:
    steps = (("threshold = 0.5", ["threshold 0.7 → 0.5"]), ("across = false", ["across True → False", "threshold 0.5 → 0.7"]))
    for setting, because in steps:
        change = {"[defaults]": f"[dedup]\n{setting}\n[defaults]"}
        base.undo(quiet)
        edit(quiet, base, change)
        planned = plan(quiet)
        assert (late(planned), planned["requests"]["calls"]) == ({}, 0)
        assert planned["duplicates"] == {"state": "stale", "because": because}
        before = Partitions(quiet / "warehouse").meta("duplicates", ALL)
        assert "Nothing to ask for" in gland(quiet, "build", "--yes").out
        assert Partitions(quiet / "warehouse").meta("duplicates", ALL) != before
        assert_as_before(quiet, base)
        assert_nothing_to_do(quiet, server)


def test_a_benchmark_puts_contamination_out_of_date_and_asks_for_nothing(quiet: Path, base: Base, server: ModelServer) -> None:
    (repeated, _), *_ = base.seen.dataset["music"].items()
    asked = Partitions(quiet / "warehouse").rows("questions", "music")
    text = next(row["text"] for row in asked if row["question_id"] == repeated)
    benchmark = quiet / "ours.jsonl"
    try:
        for held, rules, because in (
            ("What is the answer to a question that nobody asks?", "", "benchmark ours added"),
            (text, "", "benchmark ours.files changed"),
            (text, "rules = [{ ngram = 9 }]", "benchmark ours.rules 13-grams over 0.0, 8-grams over 0.5 → 9-grams over 0.0"),
            (None, None, "benchmark ours taken out"),
        ):
            base.undo(quiet)
            if held:
                benchmark.write_text(json.dumps({"question": held}))
                edit(quiet, base, {"[defaults]": f'[decontaminate.ours]\npath = "ours.jsonl"\ncolumns = ["question"]\n{rules}\n[defaults]'})
            assert late(plan(quiet)) == {slug: {"contamination": f"stale: {because}"} for slug in SLUGS}
            said = gland(quiet, "build", "--yes").out
            assert "No model is asked." in said
            assert ("ours: 1 of 1 item (100.0%) repeated by 1 pair, which is dropped; that is over 2 %" in said) == (held == text)
            assert ("No pair repeats an item of 1 benchmark set." in said) == (held not in (text, None))
            assert ("repeats a benchmark's item" in gland(quiet, "show", repeated).out) == (held == text)
            assert (repeated in Seen(quiet).dataset["music"]) == (held != text)
            assert_nothing_to_do(quiet, server)
    finally:
        base.undo(quiet)
        benchmark.unlink()
    assert Seen(quiet).dataset == base.seen.dataset


def test_imports_ask_for_the_answers_that_are_missing_and_taking_them_back_for_nothing(
    base: Base, server: ModelServer, tmp_path: Path
) -> None:  # fmt: skip
    folder = base.copy(tmp_path / "project")
    file = tmp_path / "brought.jsonl"
    brought = [{"prompt": "Why is a proof by cases one?", "completion": "Every case is met."}, {"prompt": "How long may a proof be?"}]
    file.write_text("".join(json.dumps(row) + "\n" for row in brought))
    assert "1 pair and 1 question without an answer" in gland(folder, "import", str(file), "-d", "logic").out
    because = "imported rows changed"
    wanted = {
        "logic": {"questions": f"stale: {because}", "answers": f"stale: {because}", "signatures": "waiting", "contamination": "waiting"}
    }
    assert late(plan(folder)) == wanted
    assert foreseen(folder, ("logic",)) == Counter({("answers", "logic"): 1})
    build(folder)
    now = Seen(folder)
    assert arrived(server, now) == Counter({("answers", "logic"): 1})
    assert {key for key, held in now.files.items() if base.seen.files[key] != held} == {("logic", level) for level in wanted["logic"]}
    fresh = {identity: row for identity, row in now.dataset["logic"].items() if identity not in base.seen.dataset["logic"]}
    assert len(fresh) == 2 and len(now.dataset["logic"]) == 14
    assert {(row["subject"], row["strategy"], row["answer_model"]) for row in named(folder, fresh)} == {
        (None, "imported", None), (None, "imported", "small-1-served"),
    }  # fmt: skip
    assert_nothing_to_do(folder, server)
    assert "nothing new, 2 stood there already" in gland(folder, "import", str(file), "-d", "logic").out
    assert_nothing_to_do(folder, server)

    assert "brought taken back, 2 rows" in gland(folder, "import", "--remove", "brought", "-d", "logic").out
    assert late(plan(folder)) == wanted
    build(folder)
    assert server.count == 0 and Seen(folder).dataset == base.seen.dataset
    assert_nothing_to_do(folder, server)


def named(folder: Path, ids: Iterable[str]) -> list[dict[str, Any]]:
    """Rows of the dataset as `gland sql` gives them."""
    listed = ", ".join(f"'{identity}'" for identity in ids)
    rows: list[dict[str, Any]] = gland(folder, "sql", f"from dataset where id in ({listed})", "--format", "json").json
    return rows


def test_the_document_and_the_tests_tell_of_the_same_edits() -> None:
    rows = re.findall(r"^\| (?!edit \|)([^|]+?) \|", DOCS, re.MULTILINE)
    assert len(rows) == len(set(rows))
    tested = {each.row for round in ROUNDS.values() for each in round.edits} | NOTHING.keys() | ELSEWHERE
    assert set(rows) == tested
