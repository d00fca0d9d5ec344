"""The README's commands, run as written, in an empty folder, on the bundled model: also the end-to-end build on a real one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from gland_assets.io.partitions import Partitions
from gland_assets.io.project import load_project
from tests.cli.running import environment, follow

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TESTED = re.search(r"<!-- run in the tests, as written -->\n```sh\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which the commands were run, and what they printed."""
    assert TESTED is not None
    folder = tmp_path_factory.mktemp("readme")
    # The small model fails at a row now and then: exit code 1, and the commands after it are still good.
    script = TESTED[1].replace("gland build --yes\n", "gland build --yes || [ $? -eq 1 ]\n")
    said = follow(folder, script, timeout=900)
    return folder / "my-dataset", said


def test_the_commands_end_with_a_dataset_of_real_replies(followed: tuple[Path, str]) -> None:
    folder, said = followed
    with duckdb.connect(str(folder / "warehouse" / "gland.duckdb"), read_only=True) as connection:
        pairs, questions, models = connection.execute(
            "select count(*), count(distinct question), list(distinct answer_model) from dataset"
        ).fetchall()[0]
    assert pairs == questions > 0
    assert models == ["gland-local/smollm2-135m-instruct"]
    exported = [json.loads(line) for path in (folder / "out").glob("*.jsonl") for line in path.read_text().splitlines()]
    assert len(exported) == pairs
    assert {message["role"] for row in exported for message in row["messages"]} == {"user", "assistant"}
    assert "Demonstration quality" in (folder / "out" / "README.md").read_text()
    assert "up to date" in said


def test_most_of_what_was_asked_of_the_bundled_model_stands(followed: tuple[Path, str]) -> None:
    metas = Partitions(followed[0] / "warehouse").metas()
    made = {level: sum(meta.rows for (asset, _), meta in metas.items() if asset == level) for level in ("subjects", "questions", "answers")}
    assert made["subjects"] >= 4
    assert made["answers"] >= 6
    assert made["answers"] <= made["questions"] <= 12


def test_the_change_that_the_readme_tells_of_makes_exactly_that_discipline_stale(followed: tuple[Path, str], tmp_path: Path) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(followed[0], folder)
    taxonomy = folder / "taxonomy.toml"
    change = re.search(r'^disciplines = \["Logic", .*\]$', README, re.MULTILINE)
    assert change is not None
    taxonomy.write_text(taxonomy.read_text().replace('disciplines = ["Logic", "Statistics"]', change[0]))
    done = subprocess.run(
        [sys.executable, "-c", "from gland_assets.cli import main; main()", "plan", "--json"],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["disciplines"] == ["statistics"]


def test_the_taxonomy_that_the_readme_shows_loads(tmp_path: Path) -> None:
    shown = re.search(r"```toml\n(\[dataset\].*?)```", README, re.DOTALL)
    assert shown is not None
    (tmp_path / "taxonomy.toml").write_text(shown[1])
    project = load_project(tmp_path / "taxonomy.toml")
    assert {d.slug: d.settings.pairs for d in project.disciplines()} == {"mathematics": 1000, "statistics": 2000}
    assert project.discipline("statistics").settings.stages["answers"].models == ("haiku", "gpt")


def test_every_file_the_readme_names_is_there() -> None:
    for target in [*re.findall(r"\]\((?!https?:)([^)#]+)\)", README), *re.findall(r'src="([^"]+)"', README)]:
        assert (ROOT / target).exists(), target
