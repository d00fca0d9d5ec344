"""What is read of a file: the same by both roads and from every kind of file, and what is wrong with it by place."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core.errors import GlandError
from gland_assets.core.imports import Named
from gland_assets.io import bring as reading
from gland_assets.io.bring import bring
from gland_assets.io.exports import FORMATS, LINES

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FILLED = TEXTS.filter(lambda text: bool(text.strip()))
Pair = tuple[str, str | None]


def pairs(path: Path, **how: Any) -> list[Pair]:
    return [(row["question"], row["answer"]) for row in bring(path, **how).rows.to_pylist()]


def lines(path: Path, records: list[Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def _parquet(records: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records), sink)
    return sink.getvalue()


ROLES = st.sampled_from(["system", "user", "human", "assistant", "gpt", "tool"])
TURNS = st.lists(st.fixed_dictionaries({"role": ROLES, "content": st.none() | TEXTS}), max_size=5)
CHATS = st.lists(
    st.fixed_dictionaries(
        {"messages": st.none() | TURNS}, optional={"id": st.integers(), "extra": st.dictionaries(TEXTS, TEXTS, max_size=2)}
    )
)
ALPACA = st.lists(st.fixed_dictionaries({"instruction": st.none() | TEXTS, "output": st.none() | TEXTS}, optional={"input": TEXTS}))


def expected(record: dict[str, Any]) -> Pair | None:
    """What a record comes to, said plainly; None where it has no question."""
    if "messages" in record:
        asked = answer = None
        for turn in record["messages"] or ():
            if asked is None and turn["role"] in ("user", "human"):
                asked = turn["content"] or ""
            elif asked is not None and answer is None and turn["role"] in ("assistant", "gpt"):
                answer = turn["content"] or ""
        question = asked or ""
    else:
        question, answer = record["instruction"] or "", record["output"]
        if record.get("input", "").strip() and record["instruction"] is not None:
            question = f"{question}\n\n{record['input']}"
    return (question, answer if answer and answer.strip() else None) if question.strip() else None


@settings(max_examples=60)
@given(CHATS | ALPACA)
def test_both_roads_give_what_the_records_say(tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]) -> None:
    folder = tmp_path_factory.mktemp("roads")
    first = {"messages": [{"role": "user", "content": "first"}]} if "messages" in (records or [{"messages": 1}])[0] else None
    records = [first or {"instruction": "first", "input": "", "output": "so"}, *records]
    wanted = [pair for record in records if (pair := expected(record))]
    path = lines(folder / "rows.jsonl", records)
    careful = bring(path, skip_bad=True)
    assert pairs(path, skip_bad=True) == wanted and careful.bad == len(records) - len(wanted)
    good = [record for record in records if expected(record)]
    fast, slow = bring(lines(path, good)), bring(path, skip_bad=True)
    assert fast.rows.equals(slow.rows) and (fast.system_turns, fast.further_turns) == (slow.system_turns, slow.further_turns)
    pq.write_table(pa.Table.from_pylist(good), folder / "rows.parquet")
    assert bring(folder / "rows.parquet").rows.equals(fast.rows)
    (folder / "rows.json").write_text(json.dumps(good))
    assert bring(folder / "rows.json").rows.equals(fast.rows)


@given(st.lists(st.tuples(FILLED, FILLED), min_size=1, max_size=6), st.sampled_from(FORMATS))
def test_what_is_exported_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, held: list[tuple[str, str]], format: str) -> None:
    about = dict.fromkeys(("id", "field", "subfield", "discipline", "subject", "level", "question_model", "answer_model"), "x")
    rows = [{"question": question, "answer": answer, **about} for question, answer in held]
    folder = tmp_path_factory.mktemp("exported")
    if format in LINES:
        path = folder / "train.jsonl"
        path.write_text("".join(json.dumps(LINES[format](row), ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    else:
        path = folder / f"train.{format}"
        pq.write_table(pa.Table.from_pylist(rows), path)
    assert pairs(path) == held


@given(st.lists(st.tuples(FILLED, TEXTS), min_size=1, max_size=6))
def test_both_roads_read_the_same_cells(tmp_path_factory: pytest.TempPathFactory, held: list[tuple[str, str]]) -> None:
    held = [(question.replace("\0", ""), answer.replace("\0", "")) for question, answer in held]
    held = [(question if question.strip() else "q", answer) for question, answer in held]
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows([("prompt", "completion"), *held])
    path = tmp_path_factory.mktemp("cells") / "rows.csv"
    path.write_bytes(written.getvalue().encode())
    assert pairs(path, skip_bad=True) == [(question, answer if answer.strip() else None) for question, answer in held] == pairs(path)


def test_a_text_form_may_be_compressed_and_begin_with_a_mark(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"prompt": "q", "completion": "a"}\n\n{"prompt": "r"}')
    for name, text in (
        ("b.jsonl.gz", b'{"prompt": "q", "completion": "a"}\n{"prompt": "r"}'),
        ("c.CSV.gz", b"prompt,completion\nq,a\nr,\n"),
        ("d.parquet.gz", _parquet([{"prompt": "q", "completion": "a"}, {"prompt": "r", "completion": None}])),
    ):
        (tmp_path / name).write_bytes(gzip.compress(text))
    for name in ("a.jsonl", "b.jsonl.gz", "c.CSV.gz", "d.parquet.gz"):
        assert pairs(tmp_path / name) == [("q", "a"), ("r", None)], name


def test_json_goes_by_lines_or_is_an_array_or_an_object(tmp_path: Path) -> None:
    held = [{"prompt": "q", "completion": "a"}, {"prompt": "r", "completion": "b"}]
    for content, wanted in (
        ("\n".join(map(json.dumps, held)), [("q", "a"), ("r", "b")]),
        (json.dumps(held), [("q", "a"), ("r", "b")]),
        (json.dumps(held, indent=1), [("q", "a"), ("r", "b")]),
        (json.dumps(held[0]), [("q", "a")]),
        (f"\ufeff\n{json.dumps(held[1], indent=1)}\n", [("r", "b")]),
    ):
        (tmp_path / "a.json").write_text(content, encoding="utf-8")
        assert pairs(tmp_path / "a.json") == pairs(tmp_path / "a.json", skip_bad=True) == wanted, content


def test_columns_of_parquet_may_be_stored_in_any_way_that_holds_text(tmp_path: Path) -> None:
    turns = [[{"content": "q", "role": "user", "weight": 1}], [{"content": "r", "role": "human", "weight": 2}]]
    table = pa.table(
        {"messages": turns, "prompt": pa.array(["q", "r"]).dictionary_encode(), "completion": pa.array(["a", None], pa.large_string())}
    )
    pq.write_table(table, tmp_path / "both.parquet")
    pq.write_table(table.drop(["messages"]), tmp_path / "columns.parquet")
    assert pairs(tmp_path / "both.parquet") == [("q", None), ("r", None)]
    assert pairs(tmp_path / "both.parquet", named=Named("columns", "prompt", answer="completion")) == [("q", "a"), ("r", None)]
    assert pairs(tmp_path / "columns.parquet") == [("q", "a"), ("r", None)]


def test_a_row_that_is_longer_than_a_block_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 1 << 12)
    held = [(f"q{number}", "long " * 100 * number) for number in range(1, 90, 20)]
    assert pairs(lines(tmp_path / "a.jsonl", [{"prompt": question, "completion": answer} for question, answer in held])) == held


def test_half_of_a_surrogate_pair_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"prompt": "so \\ud83d it is", "completion": "\\ud83d\\ude00"}\n')
    assert pairs(tmp_path / "a.jsonl") == [("so � it is", "😀")]


def test_turns_that_are_no_part_of_the_pair_are_counted(tmp_path: Path) -> None:
    turns = [("system", "s"), ("assistant", "hello"), ("user", "q"), ("assistant", "a"), ("user", "r"), ("assistant", "b")]
    path = lines(tmp_path / "a.jsonl", [{"conversations": [{"from": role, "value": text} for role, text in turns]}])
    found = bring(path)
    assert (found.system_turns, found.further_turns, found.rows.num_rows) == (1, 3, 1) and pairs(path) == [("q", "a")]


FAULTS: list[tuple[str, bytes, str]] = [
    (
        "a.jsonl",
        b'{"prompt": "q"}\n\n{"prompt": 3}\n',
        "a.jsonl:3: 'prompt' holds a number, not text; mend the line, or take it out\n1 of 2 rows cannot be read as prompt-compl",
    ),
    ("a.jsonl", b'{"prompt": "q"}\n{"prompt": "r"\n', "a.jsonl:2: is not JSON: Expecting ',' delimiter; mend the line, or take it out\n"),
    ("a.jsonl", b'{"prompt": "q"}\n{"prompt": " "}\n[1]\n', "a.jsonl:2: has no question; mend the line, or take it out\n"),
    ("a.jsonl", b'{"prompt": "q"}\n{"prompt": "\xff"}\n', "a.jsonl:2: byte 0xff is not UTF-8; save the file as UTF-8\n1 of 2 rows"),
    ("a.jsonl", b'{"text": "q", "number": 3}\n', "a.jsonl: its columns are text, number, which is no known form"),
    ("a.jsonl", b"", "a.jsonl: it holds no row that can be read"),
    ("a.json", b'[{"prompt": "q"}, {"prompt": null}]', "a.json, row 2: has no question"),
    ("a.json", b'[{"prompt": "q"}, ', "a.json:1: is not JSON: Expecting value; mend the file"),
    ("a.csv", b'question,answer\n"q\nq",a\nr\n', "a.csv:4: has 1 cells where the head has 2; mend the line"),
    ("a.csv", b'question,answer\nq,a\nr,"b\ns,c\n', "a.csv:4: is not CSV: unexpected end of data"),
    ("a.jsonl", b'{\n  "prompt": "q"\n}\n', "a.jsonl:1: is not JSON: "),
    ("a.csv", b"question\nq\nr\xe9\n", "a.csv:3: byte 0xe9 is not UTF-8; save"),
    ("a.csv.gz", b"question\nq\n", "a.csv.gz: cannot be read: Not a gzipped file (b'qu'); put the whole file there, or name another"),
    ("a.csv.gz", gzip.compress(b"question\nq\n" * 99, mtime=0)[:-20], "a.csv.gz: cannot be read: "),
    ("a.csv", b'"question"x,answer\nq,a\n', "a.csv:1: its head is not CSV: "),
    ("a.csv", b"question,answer,question\nq,a,r\n", "a.csv:1: its head names 'question' twice; give each column a name of its own"),
    ("a.json", b'[{"prompt": "q", "n": ' + b"1" * 5000 + b"}]", "a.json: is not JSON: Exceeds the limit"),
    ("a.parquet", b"PAR1 and no more", "a.parquet: cannot be read: "),
    ("a.txt", b"q", "a.txt: is of no kind that can be read; name one of *.jsonl"),
]


def test_a_number_of_thousands_of_digits_is_a_bad_row_where_rows_are_read_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"prompt": "q"}\n{"prompt": "r", "n": ' + b"1" * 5000 + b'}\n{"prompt": "s"}\n')
    found = bring(tmp_path / "a.jsonl", skip_bad=True)
    assert (found.rows["question"].to_pylist(), found.bad) == (["q", "s"], 1)


def test_text_of_parquet_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    text = pa.array([b"q", b"\xff"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"prompt": text}), tmp_path / "a.parquet")
    for skip_bad in (False, True):
        with pytest.raises(GlandError, match=r"a\.parquet: cannot be read: "):
            bring(tmp_path / "a.parquet", skip_bad=skip_bad)


@pytest.mark.parametrize("name, content, said", FAULTS)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(GlandError) as raised:
        bring(tmp_path / name)
    assert str(raised.value).startswith(f"{tmp_path}/{said}")


def test_a_file_that_is_not_there_or_is_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for name, said in (("none.json", "No such file"), ("folder.csv", "Is a directory"), ("none.parquet", "")):
        with pytest.raises(GlandError, match=f"{name}: cannot be read: {said}"):
            bring(tmp_path / name)


def test_of_many_faults_the_first_are_named_and_all_counted(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", [{"prompt": "q"}, *[{"prompt": ""}] * 9])
    with pytest.raises(GlandError) as raised:
        bring(path)
    told = str(raised.value).splitlines()
    assert [line.split(": ")[0] for line in told[:5]] == [f"{path}:{line}" for line in range(2, 7)]
    assert told[5] == "and 4 more" and told[6].startswith("9 of 10 rows cannot be read as prompt-completion (prompt); nothing was imported")
    found = bring(path, skip_bad=True)
    assert (found.bad, len(found.examples), found.rows.num_rows) == (9, 5, 1)


def test_a_column_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", [{"ask": "q", "say": "a"}])
    assert pairs(path, named=Named("columns", "ask", answer="say")) == [("q", "a")]
    with pytest.raises(GlandError, match=r"no column 'asks'; its columns are ask, say$"):
        bring(path, Named("columns", "asks", answer="say"))


KINDS: list[Callable[[Path, list[dict[str, str]]], Path]] = [
    lambda folder, rows: lines(folder / "a.jsonl", rows),
    lambda folder, rows: pq.write_table(pa.Table.from_pylist(rows), folder / "a.parquet") or folder / "a.parquet",
]


@pytest.mark.parametrize("write", KINDS)
def test_most_rows_go_by_columns(
    write: Callable[[Path, list[dict[str, str]]], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, [{"prompt": f"q{number}", "completion": "a"} for number in range(50)])
    monkeypatch.setattr(reading, "_records_of", lambda *_: pytest.fail("record by record"))
    assert len(pairs(path)) == 50
