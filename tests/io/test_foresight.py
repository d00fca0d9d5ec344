"""What a plan foresees: exact where the store can tell, estimated where rows are not known yet, and never a guessed price."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from gland_assets.core.plan import make_plan
from gland_assets.io.foresight import Estimate, foresee
from gland_assets.io.history import History, _sampled
from gland_assets.io.partitions import Partitions
from gland_assets.io.project import load_project
from tests import rows
from tests.building import build, edit, served, spent
from tests.cli.running import HEAD, declare, store
from tests.server import ModelServer

WITHIN = 0.2
ALIKE = ("Logic", "Optics", "Music", "Botany", "Algebra", "Drama")


def estimate(folder: Path, *slugs: str) -> Estimate:
    project = load_project(folder / "taxonomy.toml")
    warehouse = folder / "warehouse"
    return foresee(project, warehouse, make_plan(project, Partitions(warehouse).metas(), slugs))


def test_before_a_first_build_counts_follow_from_what_is_declared(tmp_path: Path) -> None:
    found = estimate(declare(tmp_path))
    stages = {name: (stage.calls, stage.reused) for name, stage in found.by_stage.items()}
    # Three disciplines: two turns a query; 2.5 subjects a query, two turns a syllabus; ten pairs.
    assert stages == {"subjects": (6, 0), "syllabi": (15, 0), "questions": (30, 0), "answers": (30, 0)}
    assert found.all.usd is not None and found.all.usd > 0
    assert found.basis == "declared defaults, for want of history"


@pytest.mark.parametrize(
    ("limits", "least"),
    [
        ("rpm = 3", 81 / 3 * 60),
        ("tpm = 1000", None),
        ('rpm = 3\napi_base = ["http://127.0.0.1:9/v1", "http://127.0.0.1:10/v1"]', 81 / 6 * 60),
    ],
)
def test_a_declared_rate_says_how_long_it_takes_at_least(tmp_path: Path, limits: str, least: float | None) -> None:
    found = estimate(declare(tmp_path, head=HEAD.replace('model = "openai/large-1"', f'model = "openai/large-1"\n{limits}')))
    tokens = found.all.prompt_tokens + found.all.completion_tokens
    assert found.seconds == pytest.approx(tokens / 1000 * 60 if least is None else least, rel=0.01)


def test_an_unknown_price_is_not_guessed(tmp_path: Path) -> None:
    head = HEAD.replace("usd_per_million = { input = 1.0, output = 2.0 }\n", "")
    assert estimate(declare(tmp_path, head=head)).all.usd is None


def test_where_all_is_up_to_date_nothing_is_foreseen(tmp_path: Path) -> None:
    folder = declare(tmp_path)
    store(folder, rows.made("logic"), rows.made("optics"), rows.made("music"))
    found = estimate(folder)
    assert (found.all.calls, found.all.reused, found.seconds, found.all.usd) == (0, 0, 0.0, Decimal(0))


def test_a_changed_discipline_is_foreseen_alone(tmp_path: Path) -> None:
    folder = declare(tmp_path)
    store(folder, rows.made("logic"), rows.made("optics"), rows.made("music"))
    taxonomy = folder / "taxonomy.toml"
    taxonomy.write_text(taxonomy.read_text().replace('"Logic"', '{ name = "Logic", stage.answers.temperature = 0.1 }'))
    found = estimate(folder)
    standing = sum(not question.failure for question in rows.made("logic").questions)
    assert {name: stage.calls for name, stage in found.by_stage.items()} == {
        "subjects": 0,
        "syllabi": 0,
        "questions": 0,
        "answers": standing,
    }
    assert {slug: part.calls for slug, part in found.by_discipline.items()} == {"logic": standing}


@pytest.mark.parametrize("rejecting", [False, True])
def test_one_discipline_tells_what_the_others_take(tmp_path: Path, server: ModelServer, rejecting: bool) -> None:
    folder = served(tmp_path, server, ALIKE)
    if rejecting:  # about one try in eight, of every stage and discipline alike
        server.fail("empty", times=100_000, match='"seed": 2')
    build(folder, "logic")
    first, found = spent(folder), estimate(folder)
    assert found.basis == "the history of this project"
    assert sum(part.prompt_tokens for part in found.by_discipline.values()) == found.all.prompt_tokens
    build(folder)
    paid = spent(folder)
    for name in ("calls", "prompt_tokens", "completion_tokens", "usd"):
        took = float(getattr(paid, name) - getattr(first, name))
        assert abs(float(getattr(found.all, name)) - took) <= WITHIN * took, f"{name}: {getattr(found.all, name)} for {took}"


def test_a_second_turn_alone_is_counted_by_its_own_length(tmp_path: Path, server: ModelServer) -> None:
    folder = served(tmp_path, server, ("Logic",))
    (folder / "prompts").mkdir()
    extract = folder / "prompts" / "subjects.extract.txt"
    extract.write_text("List as JSON what you have just named for {discipline}.")
    edit(folder, {'name = "served"': 'name = "served"\nprompts = "prompts"'})
    build(folder)
    extract.write_text("List as JSON what you have just named of {discipline}.")
    found, before = estimate(folder).by_stage["subjects"], paid(folder, "subjects")
    assert (found.calls, found.reused) == (2, 2), "the first turns stand in the store"
    build(folder)
    took = [after - earlier for after, earlier in zip(paid(folder, "subjects"), before, strict=True)]
    assert took[0] == 2
    assert abs(found.prompt_tokens - took[1]) <= 0.05 * took[1]  # a first turn's prompt is a third as long


def paid(folder: Path, stage: str) -> tuple[int, int]:
    """Calls of a stage, and the tokens of their prompts."""
    with closing(sqlite3.connect(folder / "warehouse" / "ledger.sqlite")) as connection:
        row = connection.execute("select sum(calls), sum(prompt_tokens) from spending where stage = ?", [stage]).fetchone()
    return row[0], row[1]


def test_one_more_query_brings_new_subjects_last_and_leaves_the_first_questions_alone(tmp_path: Path, server: ModelServer) -> None:
    folder = served(tmp_path, server, ALIKE[:3])
    build(folder)
    edit(folder, {"subject_queries = 2": "subject_queries = 3"})
    found, before = estimate(folder), spent(folder)
    assert found.basis == "the history of this project"
    build(folder)
    took = spent(folder).calls - before.calls
    assert abs(found.all.calls - took) <= WITHIN * took


def test_a_long_ledger_is_sampled_over_all_of_it(tmp_path: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = served(tmp_path, server, ("Logic",))
    build(folder)
    monkeypatch.setattr("gland_assets.io.history.SPANS", 3)
    monkeypatch.setattr("gland_assets.io.history.SPAN", 2)
    sampled = History(Partitions(folder / "warehouse").metas(), folder / "warehouse")
    seen = [sampled.call(stage, 0, "large") for stage in ("subjects", "syllabi", "questions", "answers")]
    assert seen[0] is not None and sum(call is not None for call in seen) > 1, "from the first request on, and beyond"
    assert sum(sums[0] for sums in _sampled(folder / "warehouse").values()) <= 4 * 2
