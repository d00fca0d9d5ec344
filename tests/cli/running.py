"""Running `gland` in this process and as a process of its own, on small projects with made rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from gland_assets.cli.app import app
from gland_assets.core.hashing import canonical
from gland_assets.core.levels import DECLARED, GENERATED, UPSTREAM
from gland_assets.core.project import Project
from gland_assets.core.recipes import content_hash, declared_content_hash, declared_rows, fingerprint, recipe
from gland_assets.core.records import to_row
from gland_assets.core.state import PartitionMeta
from gland_assets.io.partitions import Partitions
from gland_assets.io.project import load_project
from tests import rows

TREE = """
[[field]]
name = "Formal sciences"
  [[field.subfield]]
  name = "Reasoning"
  disciplines = ["Logic", "Optics"]
[[field]]
name = "Arts"
  [[field.subfield]]
  name = "Sound"
  disciplines = ["Music"]
"""
HEAD = """[dataset]
name = "small"
[deployment.large]
model = "openai/large-1"
key_env = "SMALL_KEY"
usd_per_million = { input = 1.0, output = 2.0 }
[defaults]
pairs = 10
subject_queries = 1
subjects = [2, 3]
sessions = [2, 3]
"""


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def gland(folder: Path, *arguments: str) -> Ran:
    """Run a verb in this process, on the project in `folder`."""
    result = CliRunner().invoke(app, ["--taxonomy", str(folder / "taxonomy.toml"), *arguments], catch_exceptions=False)
    return Ran(result.exit_code, result.stdout, result.stderr)


def gland_process(
    folder: Path, *arguments: str, env: Mapping[str, str] | None = None, apart: bool = False, through: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """Start `gland` as a process in `folder`, its output readable; `apart`: in a process group of its own; `through`: by this command."""
    return subprocess.Popen(
        [*through, *command(*arguments)], cwd=folder, env=environment(env), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=apart,
    )  # fmt: skip


def command(*arguments: str) -> list[str]:
    """The command line of `gland`, whether or not it is installed."""
    return [sys.executable, "-c", "from gland_assets.cli import main; main()", *arguments]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment with the checkout importable, and `more`."""
    root = str(Path(__file__).parents[2])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GLAND_")}
    return {**kept, "PYTHONPATH": root, **(more or {})}


def gland_alone(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Ran:
    """Run `gland` as a process of its own in `folder`, to its end."""
    process = gland_process(folder, *arguments, env=env)
    out, err = process.communicate(timeout=180)
    return Ran(process.returncode, out, err)


def follow(folder: Path, script: str, timeout: float) -> str:
    """Run commands of the documentation in `folder`, with a `gland` on the path, to a good end; what they printed."""
    gland_file = folder / "bin" / "gland"
    gland_file.parent.mkdir()
    gland_file.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "from gland_assets.cli import main; main()" "$@"\n')
    gland_file.chmod(0o755)
    env = environment({"PATH": f"{gland_file.parent}{os.pathsep}{os.environ['PATH']}"})
    done = subprocess.run(["sh", "-ec", script], cwd=folder, env=env, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def declare(folder: Path, tree: str = TREE, head: str = HEAD) -> Path:
    """A project's folder with its taxonomy file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "taxonomy.toml").write_text(head + tree)
    return folder


def store(folder: Path, *made: rows.Made) -> None:
    """Write disciplines into the project's warehouse as a build would have: every level fresh, one build and its requests recorded."""
    project = load_project(folder / "taxonomy.toml")
    partitions = Partitions(folder / "warehouse")
    for one in made:
        store_fresh(project, partitions, one)
    rows.store_ledger(folder / "warehouse", *made)


def store_fresh(project: Project, partitions: Partitions, one: rows.Made) -> None:
    """Every level of one discipline, as the project declares it now."""
    slug, hashes = one.discipline, {}
    discipline = project.discipline(slug)

    def write(level: str, held: Sequence[Mapping[str, Any]], content: str) -> None:
        hashes[level] = content
        upstream = {name: hashes[name] for name in UPSTREAM[level]}
        made_by = recipe(project, level, discipline)
        partitions.write(
            level, slug, held, PartitionMeta(level, slug, fingerprint(made_by, upstream), content, canonical(made_by), upstream)
        )

    for level, row in declared_rows(project, slug).items():
        if level in DECLARED:
            write(level, [row], declared_content_hash(level, row))
    for level in (*GENERATED, "signatures", "contamination"):
        records = one.levels()[level]
        write(level, [to_row(record) for record in records], content_hash(records))


def damaged(one: rows.Made) -> rows.Made:
    """`one` with a failed answer, its question kept out of the dataset by it."""
    return rows.with_failed_answer(one, 3)


def from_local(one: rows.Made, model: str) -> rows.Made:
    """`one` with answers that `model` has given."""
    return replace(one, answers=tuple(replace(answer, model=model) for answer in one.answers))
