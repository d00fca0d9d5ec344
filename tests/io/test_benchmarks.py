"""Benchmark sets as people keep them: layouts by name, own files by columns, and what is wrong with either, by file and line."""

from __future__ import annotations

import csv
import gzip
import json
import os
import tarfile
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gland_assets.core.decontamination import Item
from gland_assets.core.errors import SettingsError
from gland_assets.core.project import DecontaminationSet
from gland_assets.io.benchmarks import index_of, read_items, stamped

Rows = Sequence[Mapping[str, Any]]


def lines(rows: Rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet(rows: Rows) -> bytes:
    sink = BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), sink)
    return sink.getvalue()


def table(rows: Sequence[Sequence[str]]) -> bytes:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def archive(files: Mapping[str, bytes]) -> bytes:
    sink = BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, BytesIO(content))
    return sink.getvalue()


def put(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def known(folder: Path, name: str) -> list[tuple[str, str]]:
    items = read_items(DecontaminationSet(name, str(folder), known=True))
    assert {item.split for item in items} == {"test"}
    return [(item.item_id, item.text) for item in items]


def own(path: Path, *columns: str, **more: Any) -> DecontaminationSet:
    return DecontaminationSet("mine", str(path), columns=columns, **more)


ASKED = [{"question": "How many eggs?", "answer": "3"}, {"question": "How many hens?", "answer": "4"}]
ARC = {"id": "M_1", "question": {"stem": "Why is it dark?", "choices": [{"text": "Night.", "label": "A"}]}, "answerKey": "A"}
LAYOUTS: dict[str, tuple[str, dict[str, bytes], list[tuple[str, str]]]] = {
    "gsm8k from GitHub": (
        "gsm8k",
        {"grade-school-math/grade_school_math/data/test.jsonl": lines(ASKED), "grade-school-math/grade_school_math/data/train.jsonl": b"?"},
        [("test:1", "How many eggs?"), ("test:2", "How many hens?")],
    ),
    "gsm8k from Hugging Face": (
        "gsm8k",
        {"gsm8k/main/test-00000-of-00001.parquet": parquet(ASKED), "gsm8k/main/train-00000-of-00001.parquet": b"?",
         "gsm8k/socratic/test-00000-of-00001.parquet": b"?"},
        [("test-00000-of-00001:1", "How many eggs?"), ("test-00000-of-00001:2", "How many hens?")],
    ),
    "gsm8k in Hugging Face's cache": (
        "gsm8k",
        {"hub/datasets--openai--gsm8k/snapshots/1f/main/test-00000-of-00001.parquet": parquet(ASKED[:1])},
        [("test-00000-of-00001:1", "How many eggs?")],
    ),
    "math as its authors gave it": (
        "math",
        {f"MATH/{split}/{of}/1.json": json.dumps({"problem": f"{of} of {split}", "solution": "1"}).encode()
         for split in ("test", "train") for of in ("algebra", "geometry")},
        [("algebra/1", "algebra of test"), ("geometry/1", "geometry of test")],
    ),
    "math of 500": (
        "math", {"MATH-500/test.jsonl": lines([{"problem": "Find x.", "unique_id": "test/9.json"}])}, [("test/9.json", "Find x.")]
    ),
    "humaneval": (
        "humaneval",
        {"human-eval/data/HumanEval.jsonl.gz": gzip.compress(lines([{"task_id": "HumanEval/0", "prompt": "def f():"}])),
         "human-eval/data/example_problem.jsonl": b"?"},
        [("HumanEval/0", "def f():")],
    ),
    "mbpp": (
        "mbpp", {"mbpp/mbpp.jsonl": lines([{"task_id": number, "text": f"Write {number}."} for number in (10, 11, 510, 511)])},
        [("11", "Write 11."), ("510", "Write 510.")],
    ),
    "mbpp sanitized": (
        "mbpp", {"mbpp/sanitized-mbpp.json": json.dumps([{"task_id": 12, "prompt": "Write it."}]).encode()}, [("12", "Write it.")]
    ),
    "bbh": (
        "bbh",
        {"bbh/tasks/navigate.json": json.dumps({"canary": "c", "examples": [{"input": "Left?"}, {"input": "Right?"}]}).encode(),
         "bbh/cot_prompts/navigate.txt": b"?"},
        [("navigate:1", "Left?"), ("navigate:2", "Right?")],
    ),
    "arc_easy": (
        "arc_easy",
        {"ARC-V1-Feb2018-2/ARC-Easy/ARC-Easy-Test.jsonl": lines([ARC]), "ARC-V1-Feb2018-2/ARC-Easy/ARC-Easy-Test.csv": b"?",
         "ARC-V1-Feb2018-2/ARC-Easy/ARC-Easy-Train.jsonl": b"?", "ARC-V1-Feb2018-2/ARC-Challenge/ARC-Challenge-Test.jsonl": b"?"},
        [("M_1", "Why is it dark?")],
    ),
    "arc_challenge from two sources": (
        "arc_challenge",
        {"arc/ARC-Challenge-Test.jsonl": lines([ARC]),
         "arc/ARC-Challenge-test.genmc.jsonl.gz": gzip.compress(lines([ARC, ARC | {"id": "M_2"}]))},
        [("M_1", "Why is it dark?"), ("M_2", "Why is it dark?")],
    ),
    "arc_challenge from Hugging Face": (
        "arc_challenge",
        {"ai2_arc/ARC-Challenge/test-00000-of-00001.parquet": parquet([{"id": "M_1", "question": "Why?", "choices": {"text": ["a"]}}])},
        [("M_1", "Why?")],
    ),
    "mmlu in an archive, with a header": (
        "mmlu",
        {"mmlu/mmlu_test_dev_csv.tar.gz": archive({
            "test/anatomy_test.csv": table([["question", "choice0", "answer"], ["Which, of\nthese?", "a", "0"]]),
            "dev/anatomy_dev.csv": b"?",
        })},
        [("anatomy_test:3", "Which, of\nthese?")],
    ),
    "mmlu in files without a header": (
        "mmlu",
        {"mmlu/test/law_test.csv": table([["Is it?", "yes", "no", "A"], ["Was it?", "yes", "no", "B"]]), "mmlu/val/law_val.csv": b"?"},
        [("law_test:1", "Is it?"), ("law_test:2", "Was it?")],
    ),
    "mmlu from Hugging Face": (
        "mmlu",
        {"mmlu/all/test-00000-of-00001.parquet": parquet([{"question": "Is it?", "subject": "law", "choices": ["yes", "no"]}]),
         "mmlu/law/test-00000-of-00001.parquet": b"?"},
        [("test-00000-of-00001:1", "Is it?")],
    ),
    "ifeval": ("ifeval", {"ifeval/input_data.jsonl": lines([{"key": 1000, "prompt": "No commas."}])}, [("1000", "No commas.")]),
    "mt_bench": (
        "mt_bench",
        {"mt_bench/question.jsonl": lines([{"question_id": 81, "turns": ["Write.", "Rewrite."]}]),
         "mt_bench/reference_answer/gpt-4.jsonl": b"?"},
        [("81:1", "Write."), ("81:2", "Rewrite.")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_known_set_is_found_and_read_in_the_layouts_it_comes_in(layout: str, tmp_path: Path) -> None:
    name, files, items = LAYOUTS[layout]
    put(tmp_path, {**files, "notes/readme.md": b"?", "other/test.jsonl": b"?"})
    assert known(tmp_path, name) == items
    (own_folder,) = {Path(file).parts[0] for file in files}
    assert known(tmp_path / own_folder, name) == items, "the folder of the set itself does too"


KINDS: dict[str, Callable[[], bytes]] = {
    "a.jsonl": lambda: b"\xef\xbb\xbf" + lines(ASKED).replace(b"\n", b"\r\n\r\n"),
    "a.json": lambda: json.dumps(ASKED).encode(),
    "b.json": lambda: lines(ASKED),
    "a.csv": lambda: table([["answer", "question"], *([row["answer"], row["question"]] for row in ASKED)]),
    "a.parquet": lambda: parquet(ASKED),
    "a.tar": lambda: archive({"x/b.csv": table([["question"], *([row["question"]] for row in ASKED)])}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_set_of_ones_own_is_read_from_every_kind_of_file(kind: str, zipped: bool, tmp_path: Path) -> None:
    name = f"{kind}.gz" if zipped and kind != "a.tar" else kind
    put(tmp_path, {name: gzip.compress(KINDS[kind]()) if name.endswith("gz") else KINDS[kind]()})
    assert [item.text for item in read_items(own(tmp_path / name, "question"))] == ["How many eggs?", "How many hens?"]
    assert [item.text for item in read_items(own(tmp_path, "question"))] == ["How many eggs?", "How many hens?"]


def test_columns_are_joined_and_lists_spread_or_joined(tmp_path: Path) -> None:
    row = {"id": 7, "q": "Which?", "of": {"kinds": ["a", "b"], "none": None}, "parts": [{"ask": "One?"}, {"ask": "Two?"}]}
    path = put(tmp_path, {"a.jsonl": lines([row])}) / "a.jsonl"
    assert read_items(own(path, "q", "of.kinds", "of.none", id="id", split="dev")) == (Item("dev", "7", "Which?\na\nb\n"),)
    assert [item[1:] for item in read_items(own(path, "q", "parts[].ask"))] == [("a:1:1", "Which?\nOne?"), ("a:1:2", "Which?\nTwo?")]


def test_of_a_folder_the_files_of_the_split_are_read(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "data/test-0.jsonl": lines(ASKED[:1]),
            "data/latest.jsonl": b"?",
            "train/a.jsonl": b"?",
            "a.tar": archive({"test/b.jsonl": lines(ASKED)}),
        },
    )
    items = read_items(own(tmp_path, "question", split="test"))
    assert [item.item_id for item in items] == ["a.tar/test/b:1", "a.tar/test/b:2", "data/test-0:1"]


FAULTS: dict[str, tuple[dict[str, bytes], str, tuple[str, ...], str, int, str]] = {
    "a missing file": ({}, "a.jsonl", ("q",), "a.jsonl", 0, "does not exist; put the file there, or mend the path"),
    "a wrong column": ({"a.jsonl": lines([{"q": 1}, {"p": 2}])}, "a.jsonl", ("q",), "a.jsonl", 2, "has no column 'q'; it has p; set"),
    "a table for a column": ({"a.jsonl": lines([{"q": {"stem": "s"}}])}, "a.jsonl", ("q",), "a.jsonl", 1, "has no column 'q'; it has q"),
    "no list where one is to be": ({"a.jsonl": lines([{"q": "s"}])}, "a.jsonl", ("q[]",), "a.jsonl", 1, "has no column 'q[]'"),
    "a bad line": ({"a.jsonl": b'{"q": "x"}\n{"q": \n'}, "a.jsonl", ("q",), "a.jsonl", 2, "is not JSON: Expecting value; mend the line"),
    "a line that is no object": ({"a.jsonl": b"[1]\n"}, "a.jsonl", ("q",), "a.jsonl", 1, "is a list, not an object"),
    "a bad line under the name of JSON": ({"a.json": b'{"q": "x"}\n\n{"q": \n'}, "a.json", ("q",), "a.json", 3, "is not JSON"),
    "bad JSON": ({"a.json": b'[{"q": "x"},\n{"q": \n'}, "a.json", ("q",), "a.json", 3, "is not JSON: Expecting value; mend the file"),
    "a row of an array": ({"a.json": b'[{"q": "x"}, 3]'}, "a.json", ("q",), "a.json, row 2", 0, "is a number, not an object; write each"),
    "a wrong column of an array": ({"a.json": b'[{"q": "x"}, {}]'}, "a.json", ("q",), "a.json, row 2", 0, "has no column 'q'"),
    "a cell too few": ({"a.csv": b"q,p\nx,y\nx\n"}, "a.csv", ("q",), "a.csv", 3, "has 1 cells where the head has 2"),
    "a quote without an end": ({"a.csv": b'q,p\nx,"y\nx\n'}, "a.csv", ("q",), "a.csv", 3, "is not CSV: unexpected end of data"),
    "bytes that are no text": ({"a.jsonl": b'{"q": "\xff"}'}, "a.jsonl", ("q",), "a.jsonl", 1, "byte 0xff is not UTF-8; save"),
    "bytes that are no text in a CSV": ({"a.csv": b"q\nx\n\xe9\n"}, "a.csv", ("q",), "a.csv", 3, "byte 0xe9 is not UTF-8; save"),
    "a cut archive": ({"a.jsonl.gz": gzip.compress(lines([{"q": "x"}]))[:-9]}, "a.jsonl.gz", ("q",), "a.jsonl.gz", 0, "cannot be read"),
    "no Parquet": ({"a.parquet": b"PAR0"}, "a.parquet", ("q",), "a.parquet", 0, "cannot be read"),
    "no archive": ({"a.tar.gz": b"?"}, "a.tar.gz", ("q",), "a.tar.gz", 0, "cannot be read"),
    "an empty set": ({"a.jsonl": lines([{"q": ""}, {"q": " "}])}, "a.jsonl", ("q",), "a.jsonl", 0, "holds no item"),
    "a kind that is not read": ({"a.txt": b"q"}, "a.txt", ("q",), "a.txt", 0, "is of no kind that can be read; name one of *.jsonl"),
    "a folder without such a file": ({"a/b.txt": b"q"}, "a", ("q",), "a", 0, "has no file that can be read"),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_what_is_wrong_with_a_set_is_told_with_its_file_and_line(case: str, tmp_path: Path) -> None:
    files, path, columns, file, line, said = FAULTS[case]
    put(tmp_path, files)
    with pytest.raises(SettingsError) as raised:
        read_items(own(tmp_path / path, *columns))
    (fault,) = raised.value.faults
    assert (fault.file, fault.line) == (str(tmp_path / file), line)
    assert said in str(fault)


def test_an_id_that_a_row_lacks_and_a_known_set_that_is_not_there_are_told(tmp_path: Path) -> None:
    put(tmp_path, {"a.jsonl": lines([{"q": "x", "id": 1}, {"q": "y"}])})
    with pytest.raises(SettingsError, match=r"a\.jsonl:2: .*has no column 'id'; it has q"):
        read_items(own(tmp_path / "a.jsonl", "q", id="id"))
    with pytest.raises(SettingsError, match="has no files of 'gsm8k', in a folder such as gsm8k or gradeschoolmath; put the set there"):
        known(tmp_path, "gsm8k")


def test_a_changed_file_shows_and_one_that_is_merely_touched_does_not(tmp_path: Path) -> None:
    path = put(tmp_path, {"a.jsonl": lines(ASKED)}) / "a.jsonl"

    def content() -> str:
        (declared,) = stamped([own(path, "question")])
        return declared.content

    first = content()
    os.utime(path, (1, 1))
    assert content() == first != ""
    path.write_bytes(lines(ASKED).replace(b"eggs", b"ewes"))
    assert content() not in (first, "")
    path.unlink()
    assert content() == ""


def test_sets_are_read_once_in_a_process_until_a_file_changes(tmp_path: Path) -> None:
    path = put(tmp_path, {"a.jsonl": lines(ASKED)}) / "a.jsonl"
    first = index_of(stamped([own(path, "question")]))
    assert index_of(stamped([own(path, "question")])) is first
    path.write_bytes(lines(ASKED * 2))
    assert index_of(stamped([own(path, "question")])).items("mine") == 4
