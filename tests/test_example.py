"""The tiny example and the project that `gland init` writes for the bundled model speak to it in the same words."""

from __future__ import annotations

from pathlib import Path

from gland_assets.core.prompts import SLOTS
from gland_assets.io.project import load_project

ROOT = Path(__file__).parent.parent


def test_the_prompts_for_the_bundled_model_are_the_same_in_both() -> None:
    example, template = ROOT / "examples" / "tiny" / "prompts", ROOT / "gland_assets" / "cli" / "templates" / "prompts"
    for name in SLOTS:
        assert (example / name).read_text() == (template / name).read_text(), f"copy examples/tiny/prompts/{name} to {template}"


def test_the_tiny_example_has_three_disciplines_under_two_fields_on_the_bundled_model() -> None:
    project = load_project(ROOT / "examples" / "tiny" / "taxonomy.toml")
    disciplines = list(project.disciplines())
    assert (len(project.fields), len(disciplines)) == (2, 3)
    assert all(project.preferred(discipline, "answers").local for discipline in disciplines)
