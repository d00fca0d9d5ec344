"""`gland import` and `gland similar`, as one uses them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from gland_assets.cli.render import cut
from gland_assets.io.exports import FORMATS
from gland_assets.io.partitions import Partitions
from tests import rows
from tests.cli.running import declare, gland, store

CHAT = {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with nothing in it, where one stands."""
    place = declare(tmp_path / "project")
    monkeypatch.chdir(place)
    return place


def lines(folder: Path, name: str, *records: object) -> str:
    (folder / name).write_text("".join(json.dumps(record) + "\n" for record in records))
    return name


def test_what_was_read_and_what_of_it_was_left_out_is_told(folder: Path) -> None:
    chats = lines(
        folder, "chats.jsonl", CHAT, CHAT, {"messages": [*CHAT["messages"], *CHAT["messages"][1:], {"role": "user", "content": "?"}]}
    )
    alpaca = lines(folder, "alpaca.jsonl", {"instruction": "Add.", "input": "1 2", "output": "3"}, {"instruction": "How?", "output": ""})
    ran = gland(folder, "import", chats, alpaca, "-d", "logic")
    assert ran.out.splitlines() == [
        "chats.jsonl: 3 pairs, read as messages (messages)",
        "  left out: 2 rows more than once, 3 system turns, 3 further turns",
        "  logic: 1 row new",
        "alpaca.jsonl: 1 pair and 1 question without an answer, read as Alpaca (instruction, input, output)",
        "  logic: 2 rows new",
        "`gland plan -d logic` says what a build makes of it; `gland import` lists all imports, --remove takes one back.",
    ]
    again = gland(folder, "import", chats, "-d", "logic").out.splitlines()
    assert again[2:] == ["  logic: nothing new, 1 stood there already"]
    lines(folder, "chats.jsonl", {"messages": CHAT["messages"][:2]})
    changed = gland(folder, "import", chats, "-d", "logic").out.splitlines()
    assert changed[0] == "chats.jsonl: 1 question, read as messages (messages)"
    assert changed[2] == "  logic: 1 row new, 1 that the file held before taken out"


def test_nothing_is_imported_of_files_of_which_one_cannot_be_read(folder: Path) -> None:
    good, bad = lines(folder, "good.jsonl", {"prompt": "q"}), lines(folder, "bad.jsonl", {"prompt": "q"}, {"prompt": 3})
    ran = gland(folder, "import", good, bad, "-d", "logic")
    assert (ran.code, ran.err.splitlines()[0]) == (
        2, "bad.jsonl:2: 'prompt' holds a number, not text; mend the line, or take it out",
    )  # fmt: skip
    assert not (folder / "warehouse").exists()
    ran = gland(folder, "import", good, bad, "-d", "logic", "--skip-bad")
    assert ran.code == 0 and "left out: 1 bad row\n    bad.jsonl:2: 'prompt' holds a number, not text" in ran.out


def test_columns_of_no_known_form_are_named(folder: Path) -> None:
    with open(folder / "faq.csv", "w", newline="") as file:
        csv.writer(file).writerows([("ask", "say"), ("Why?", "So."), ("How?", "")])
    assert "faq.csv: its columns are ask, say, which is no known form" in gland(folder, "import", "faq.csv", "-d", "logic").err
    ran = gland(folder, "import", "faq.csv", "-d", "logic", "--question", "ask", "--answer", "say")
    assert "1 pair and 1 question without an answer, read as columns (ask, say)" in ran.out


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["a.jsonl"], "say where the rows belong"),
        (["a.jsonl", "-d", "logic", "--reference"], "say where the rows belong"),
        (["a.jsonl", "-d", "logik"], "the taxonomy has no discipline 'logik'; did you mean 'logic'?"),
        (["a.jsonl", "-d", "logic", "--answer", "say"], "--answer needs --question"),
        (["a.jsonl", "-d", "logic", "--remove", "a"], "it takes no file"),
        (["--remove", "a"], "say where the rows belong"),
        (["--remove", "a", "-d", "logic"], "logic has no import 'a'; nothing was imported into it"),
        (["--remove", "a", "--reference"], "no reference 'a'; none was imported"),
    ],
)
def test_what_cannot_be_done_is_told(arguments: list[str], said: str, folder: Path) -> None:
    lines(folder, "a.jsonl", {"prompt": "q"})
    ran = gland(folder, "import", *arguments)
    assert ran.code == 2 and said in ran.err and not (folder / "warehouse" / "imported").exists()


def test_all_imports_are_listed_and_each_can_be_taken_back(folder: Path) -> None:
    assert "Nothing has been imported" in gland(folder, "import").out
    lines(folder, "a.jsonl", {"prompt": "q", "completion": "a"}, {"prompt": "r"})
    gland(folder, "import", "a.jsonl", "-d", "logic")
    gland(folder, "import", "a.jsonl", "-d", "music")
    gland(folder, "import", "a.jsonl", "--reference")
    taxonomy = folder / "taxonomy.toml"
    taxonomy.write_text(taxonomy.read_text().replace('"Music"', '"Dance"'))
    head, *listed = (line.split("  ") for line in gland(folder, "import").out.splitlines())
    cells = [[cell.strip() for cell in line if cell.strip()] for line in listed]
    assert [cell for cell in map(str.strip, head) if cell] == ["discipline", "import", "rows", "answered", "form", "imported", "file"]
    assert [line[:5] for line in cells] == [
        ["logic", "a", "2", "1", "prompt-completion"],
        ["music (not in the taxonomy)", "a", "2", "1", "prompt-completion"],
        ["reference", "a", "2", "1", "prompt-completion"],
    ]
    assert gland(folder, "status", "--json").json["imported"] == {"logic": 2, "music": 2}
    assert "Rows imported: logic 2, music 2; `gland import` says from where" in gland(folder, "status").out
    for where in (["-d", "logic"], ["-d", "music"], ["--reference"]):
        assert "a taken back, 2 rows" in gland(folder, "import", "--remove", "a", *where).out
    assert "Nothing has been imported" in gland(folder, "import").out


@pytest.mark.parametrize("format", FORMATS)
def test_what_was_exported_can_be_imported_as_it_was(format: str, made: Path, tmp_path: Path) -> None:
    gland(made, "export", "--format", format, str(tmp_path / "out"))
    other = declare(tmp_path / "other")
    data = next(path for path in (tmp_path / "out").iterdir() if path.name.startswith("train"))
    assert "18 pairs" in gland(other, "import", str(data), "-d", "music").out
    held = Partitions(other / "warehouse").rows("imported", "music")
    exported = gland(made, "sql", "select question, answer from dataset order by id", "--format", "json").json
    assert [{"question": row["question"], "answer": row["answer"]} for row in held] == exported


def test_a_row_says_where_it_was_imported_from(folder: Path) -> None:
    lines(folder, "a.jsonl", {"prompt": "Why is it so?", "completion": "It is."})
    gland(folder, "import", "a.jsonl", "-d", "music")
    held = Partitions(folder / "warehouse").rows("imported", "music")[0]
    assert "1 row imported from a.jsonl, as `a`" in gland(folder, "show", "music").out
    assert "nothing made yet" not in gland(folder, "show", "music").out
    assert len(held["question_id"]) == 32


def test_what_is_nearest_is_shown_and_given_as_json(made: Path) -> None:
    gland(made, "publish")
    question = rows.made("logic").questions[4]
    words = str(question.text).split()
    asked = " ".join([*words[:12], *words[13:]])
    ran = gland(made, "similar", asked)
    told = ran.out.splitlines()
    assert told[0].split() == ["0.86", "kept", "logic", question.question_id[:10]] and told[1] == f"      {cut(str(question.text), 300)}"
    assert (ran.code, ran.err, told[2:]) == (0, "", ["Compared with 1 question."])
    found = gland(made, "similar", asked, "-n", "1", "--json").json
    assert [(near["question_id"], near["text"], near["status"]) for near in found["found"]] == [
        (question.question_id, question.text, "kept")
    ]
    assert (found["over"], found["compared"], found["left_out"], found["behind"]) == ("questions", 1, 0, [])
    nothing = gland(made, "similar", "other words")
    assert nothing.code == 0 and "No stored question shares a band with it." in nothing.out
    assert "2 words: only a text of the same words is found" in nothing.err


def test_what_is_nearest_needs_an_index_and_a_word(folder: Path) -> None:
    for text, said in (("why is it so", "is not there yet; `gland build`"), ("?", "there is no word in that text")):
        ran = gland(folder, "similar", text)
        assert ran.code == 2 and said in ran.err


def test_imported_rows_are_left_alone_by_prune(folder: Path) -> None:
    store(folder, rows.made("music"))
    lines(folder, "a.jsonl", {"prompt": "q", "completion": "a"})
    gland(folder, "import", "a.jsonl", "-d", "music")
    taxonomy = folder / "taxonomy.toml"
    taxonomy.write_text(taxonomy.read_text().replace('"Music"', '"Dance"'))
    assert "Removed " in gland(folder, "prune", "--yes").out
    partitions = Partitions(folder / "warehouse")
    assert partitions.stored("questions") == [] and len(partitions.rows("imported", "music")) == 1


def test_what_repeats_a_reference_is_dropped_and_names_it_until_the_reference_is_taken_back(made: Path, tmp_path: Path) -> None:
    exact, near = rows.made("logic").questions[5], rows.made("optics").questions[2]
    words = str(near.text).split()
    lines(tmp_path, "set.jsonl", {"question": str(exact.text).upper()}, {"question": " ".join([*words[:12], *words[13:]])})
    gland(made, "publish")
    gland(made, "import", str(tmp_path / "set.jsonl"), "--reference")
    assert gland(made, "plan", "--json").json["duplicates"]["state"] == "stale"
    gland(made, "publish")
    named = "select question_id, kept_discipline, kind from duplicates where starts_with(kept_discipline, 'reference:') order by kind"
    assert gland(made, "sql", named, "--format", "json").json == [
        {"question_id": exact.question_id, "kept_discipline": "reference:set", "kind": "exact"},
        {"question_id": near.question_id, "kept_discipline": "reference:set", "kind": "near"},
    ]
    status = f"select status from questions where question_id = '{exact.question_id}'"
    assert gland(made, "sql", status, "--format", "json").json == [{"status": "exact_duplicate"}]
    assert gland(made, "show", exact.question_id).code == 0
    gland(made, "import", "--remove", "set", "--reference")
    gland(made, "publish")
    assert gland(made, "sql", named, "--format", "json").json == []
    assert gland(made, "sql", status, "--format", "json").json == [{"status": "kept"}]
