"""The commands of docs/imports.md, run as written, in an empty folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gland_assets.core.imports import ANSWERS, ASKS, recognise
from gland_assets.io.partitions import Partitions
from tests.cli.running import follow

DOCS = (Path(__file__).parent.parent / "docs" / "imports.md").read_text(encoding="utf-8")
TESTED = re.search(r"<!-- run in the tests, as written -->\n```sh\n(.*?)```", DOCS, re.DOTALL)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which the commands were run, and what they printed."""
    assert TESTED is not None
    folder = tmp_path_factory.mktemp("imports")
    said = follow(folder, TESTED[1], timeout=300)
    return folder / "help-desk", said


def test_the_commands_do_what_the_text_around_them_says(followed: tuple[Path, str]) -> None:
    folder, said = followed
    for line in (
        "chats.jsonl: 2 pairs, read as messages (messages)",
        "  left out: 1 system turn, 1 further turn",
        "faq.csv: 3 pairs, read as columns (customer, desk)",
        "  no model is asked",
        "warehouse/gland.duckdb holds 4 kept pairs.",
        "1.00  kept            shipping  ",
        "0.86  near duplicate  shipping  ",
        "4 pairs in out/train.jsonl",
        "  reference train: 4 rows to be compared with, never published",
        "shipping: faq taken back, 3 rows; `gland plan -d shipping` says what follows.",
    ):
        assert line in said, line
    assert sorted(Partitions(folder / "warehouse").stored("references")) == ["train"]
    assert Partitions(folder / "warehouse").stored("imported") == ["billing"]


def test_the_table_of_forms_names_what_is_recognised() -> None:
    rows = re.findall(r"^\| (messages|sharegpt|Alpaca|prompt-completion|question and answer) \| (.*?) \|", DOCS, re.MULTILINE)
    assert len(rows) == 5
    chats = {"messages": ("role", "content"), "sharegpt": ("from", "value")}
    for name, columns in rows:
        named = re.findall(r"`(\w+)`", columns)
        within = chats.get(name, ())
        form = recognise({column: within for column in named if column not in within})
        assert form is not None and form.name == name and set(form.columns) <= set(named)
    assert all(f"`{role}`" in DOCS for role in (*ASKS, *ANSWERS))
