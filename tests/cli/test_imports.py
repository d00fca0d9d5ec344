"""What each verb loads: nothing heavy before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gland_assets.io.partitions import Partitions
from gland_assets.io.project import load_project
from tests import rows
from tests.cli.running import environment, store_fresh

SCRIPT = """
import sys
from gland_assets.cli import main
try:
    main()
except SystemExit as end:
    print("code", end.code, file=sys.stderr)
print("loaded", *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def loaded(folder: Path, *arguments: str) -> set[str]:
    """The top modules in memory when a verb has ended well."""
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], cwd=folder, env=environment(), capture_output=True, text=True, timeout=60
    )
    lines = ran.stderr.splitlines()
    assert "code 0" in lines, ran.stderr
    return set(lines[-1].split()[1:])


HEAVY = {"dagster", "dagster_duckdb", "litellm", "xllamacpp", "json_repair"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["build", "--help"],
        ["validate"],
        ["plan"],
        ["plan", "--json"],
        ["status"],
        ["status", "--json"],
        ["show"],
        ["sql"],
        ["sql", "1"],
        ["why", "logic"],
        ["prune", "--responses"],
    ],
)
def test_what_makes_nothing_loads_neither_dagster_nor_litellm(arguments: list[str], made: Path) -> None:
    assert not loaded(made, *arguments) & HEAVY


def test_help_touches_no_database_and_no_taxonomy(tmp_path: Path) -> None:
    assert not loaded(tmp_path, "--help") & {"duckdb", "pyarrow", "numpy", "pydantic", "sqlite3"}


def test_with_nothing_to_do_and_nothing_to_publish_neither_is_loaded(made: Path) -> None:
    store_fresh(load_project(made / "taxonomy.toml"), Partitions(made / "warehouse"), rows.made("music"))
    assert "dagster" in loaded(made, "publish")
    for verb in ("plan", "status", "build"):
        assert not loaded(made, verb) & HEAVY, verb
    assert not loaded(made, "plan") & {"pyarrow", "numpy", "duckdb", "jsonschema"}, "footers that have not changed are not read again"


def test_what_a_build_starts_its_workers_with_is_light() -> None:
    code = (
        "import sys, gland_assets.assets.build as build; assert build.run_build; print(*{name.partition('.')[0] for name in sys.modules})"
    )
    ran = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert not set(ran.stdout.split()) & (HEAVY | {"pyarrow", "duckdb"})
