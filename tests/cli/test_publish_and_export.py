"""`gland publish` and `gland export`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from tests.cli.running import HEAD, TREE, gland

HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def test_publish_brings_the_file_up_to_date_once(made: Path) -> None:
    ran = gland(made, "publish")
    assert ran.code == 0 and "is up to date: 2 disciplines brought in." in ran.out
    with duckdb.connect(str(made / "warehouse" / "gland.duckdb"), read_only=True) as published:
        assert published.execute("select count(*) from questions").fetchone() == (20,)
    assert "up to date already" in gland(made, "publish").out


def test_publish_counts_near_duplicates_anew_when_they_are_out_of_date(made: Path) -> None:
    gland(made, "publish")  # the duplicates of the fixture were made from nothing: they are computed from the signatures
    assert gland(made, "sql", "select count(*) as n from duplicates", "--format", "json").json == [{"n": 0}]


def test_publish_takes_out_what_left_the_taxonomy(made: Path) -> None:
    gland(made, "publish")
    (made / "taxonomy.toml").write_text(HEAD + TREE.replace('"Logic", ', ""))
    assert "1 discipline taken out" in gland(made, "publish").out


@pytest.mark.parametrize("verb", ["publish", "build"])
def test_a_held_file_is_named_with_its_holder(verb: str, made: Path) -> None:
    gland(made, "publish")
    (made / "taxonomy.toml").write_text(HEAD + TREE.partition('[[field]]\nname = "Arts"')[0])
    path = str(made / "warehouse" / "gland.duckdb")
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        ran = gland(made, verb)
        holder.communicate("")
    assert f"process {holder.pid}" in ran.out + ran.err and "gland publish" in ran.out + ran.err
    assert ran.code == (2 if verb == "publish" else 0), "a build that made everything has done its work"
    assert gland(made, "publish").code == 0


def test_export_writes_pairs_and_a_card(made: Path, tmp_path: Path) -> None:
    ran = gland(made, "export", "--format", "messages", str(tmp_path / "out"))
    assert ran.code == 0 and "18 pairs in " in ran.out
    lines = [json.loads(line) for line in (tmp_path / "out" / "train.jsonl").read_text().splitlines()]
    assert len(lines) == 18 and {turn["role"] for line in lines for turn in line["messages"]} == {"user", "assistant"}
    assert (tmp_path / "out" / "README.md").read_text().startswith("---")


def test_export_takes_a_condition(made: Path, tmp_path: Path) -> None:
    ran = gland(made, "export", "--format", "parquet", "--where", "discipline = 'logic'", str(tmp_path / "out"))
    assert ran.code == 0
    assert pq.read_table(tmp_path / "out" / "train.parquet")["discipline"].unique().to_pylist() == ["logic"]


@pytest.mark.parametrize("format", ["alpaca", "sharegpt", "xml"])
def test_a_format_that_is_not_there_is_refused_with_those_that_are(format: str, made: Path, tmp_path: Path) -> None:
    ran = gland(made, "export", "--format", format, str(tmp_path / "out"))
    assert ran.code == 2 and "messages, prompt-completion, parquet" in ran.err and not (tmp_path / "out").exists()


def test_export_overwrites_only_when_told_to(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    refused = gland(made, "export", "--format", "messages", str(out))
    assert refused.code == 2 and "--force" in refused.err and [path.name for path in out.iterdir()] == ["mine.txt"]
    assert gland(made, "export", "--format", "messages", "--force", str(out)).code == 0
    assert (out / "mine.txt").read_text() == "mine"


def test_a_condition_reaches_no_other_file(made: Path, tmp_path: Path) -> None:
    (tmp_path / "key.csv").write_text("secret\nsk-1\n")
    condition = f"question in (select secret from read_csv('{tmp_path / 'key.csv'}')) or true"
    ran = gland(made, "export", "--format", "messages", "--where", condition, str(tmp_path / "out"))
    assert ran.code == 2 and "Traceback" not in ran.err
