"""What a plan foresees: exact where the store can tell, estimated where rows are not known yet, and never a guessed price."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from gland_assets.core.plan import make_plan
from gland_assets.io.foresight import Estimate, foresee
from gland_assets.io.partitions import Partitions
from gland_assets.io.project import load_project
from tests import rows
from tests.cli.running import HEAD, declare, store


def estimate(folder: Path) -> Estimate:
    project = load_project(folder / "taxonomy.toml")
    warehouse = folder / "warehouse"
    return foresee(project, warehouse, make_plan(project, Partitions(warehouse).metas()))


def test_before_a_first_build_counts_follow_from_what_is_declared(tmp_path: Path) -> None:
    found = estimate(declare(tmp_path))
    stages = {name: (stage.calls, stage.reused) for name, stage in found.by_stage.items()}
    # Three disciplines: two turns a query; 2.5 subjects a query, two turns a syllabus; ten pairs.
    assert stages == {"subjects": (6, 0), "syllabi": (15, 0), "questions": (30, 0), "answers": (30, 0)}
    assert found.usd is not None and found.usd > 0
    assert "declared defaults" in found.basis


def test_an_unknown_price_is_not_guessed(tmp_path: Path) -> None:
    head = HEAD.replace("usd_per_million = { input = 1.0, output = 2.0 }\n", "")
    assert estimate(declare(tmp_path, head=head)).usd is None


def test_where_all_is_up_to_date_nothing_is_foreseen(tmp_path: Path) -> None:
    folder = declare(tmp_path)
    store(folder, rows.made("logic"), rows.made("optics"), rows.made("music"))
    found = estimate(folder)
    assert (found.calls, found.reused, found.seconds, found.usd) == (0, 0, 0.0, Decimal(0))


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
