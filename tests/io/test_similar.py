"""What is nearest to a text: every stored question that shares a band, in order of its exact similarity."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Literal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core.dedup import jaccard, shingles, sign
from gland_assets.core.errors import GlandError
from gland_assets.core.hashing import canonical
from gland_assets.core.project import Dedup, Project
from gland_assets.core.recipes import recipe
from gland_assets.core.records import Duplicate
from gland_assets.core.state import PartitionMeta
from gland_assets.core.texts import Texts
from gland_assets.io import similar as looking
from gland_assets.io.bring import BROUGHT, Brought
from gland_assets.io.live import connect_live
from gland_assets.io.minhash import INDEX, update_index
from gland_assets.io.partitions import Partitions
from gland_assets.io.references import add_references
from gland_assets.io.signing import sign_questions
from gland_assets.io.similar import Nearest, nearest, recall
from tests import rows
from tests.io.test_importing import FORM

PROJECT = rows.project()
HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def stored(folder: Path, *texts: str) -> Path:
    """A warehouse whose logic asks these, and optics what it asks anyway, indexed."""
    logic = rows.made("logic", pairs=max(1, len(texts)))
    for number, text in enumerate(texts):
        logic = rows.with_question(logic, number, text=text)
    rows.store(Partitions(folder), logic, rows.made("optics"))
    update_index(PROJECT, folder)
    return folder


def asked(folder: Path, text: str, count: int = 10, wait_s: float = 3.0, project: Project = PROJECT) -> Nearest:
    with closing(connect_live(project, folder)) as connection:
        return nearest(connection, project, folder, text, count, wait_s)


WORDS = ["axiom", "Proof", "lemma", "of", "the", "field"]
TEXTS = [" ".join(Random(number).choices(WORDS, k=1 + number % 9)) for number in range(90)]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with texts of few words, of which many are alike."""
    return stored(tmp_path_factory.mktemp("many"), *TEXTS)


@settings(max_examples=12, deadline=None)
@given(text=st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join), count=st.integers(1, 9))
def test_the_nearest_are_those_that_a_comparison_with_all_finds(many: Path, text: str, count: int) -> None:
    mine, theirs = sign(Texts.of([text]), PROJECT.dedup).bands[0], sign(Texts.of(TEXTS), PROJECT.dedup).bands
    similar = [jaccard(shingles(text, 3), shingles(each, 3)) for each in TEXTS]
    meeting = [similarity for similarity, bands in zip(similar, theirs, strict=True) if (bands == mine).any()]
    found = asked(many, text, count)
    assert [near.similarity for near in found.found] == sorted(filter(None, meeting), reverse=True)[:count]
    assert all(near.similarity == jaccard(shingles(text, 3), shingles(near.text, 3)) for near in found.found)
    assert (found.compared, found.left_out, found.behind) == (len(meeting), 0, ())


def test_each_is_told_with_what_became_of_it(tmp_path: Path) -> None:
    text = "why is the sum of two even numbers always even"
    logic = rows.made("logic", pairs=4)
    for number in range(4):
        logic = rows.with_question(logic, number, text=f"{text} {'x' * number}".strip())
    partitions = Partitions(tmp_path)
    rows.store(partitions, rows.with_failed_answer(logic, 3), rows.made("optics"))
    ids = [question.question_id for question in logic.questions]
    rows.store_duplicates(partitions, Duplicate(ids[2], ids[0], "logic", "logic", "near", 0.9))
    rows.store_level(
        partitions, "answers", "logic", [answer for answer in rows.with_failed_answer(logic, 3).answers if answer.question_id != ids[1]]
    )
    add_references(PROJECT, partitions, [(Path("/data/set.csv"), Brought(FORM, pa.table([[text], [None], [1]], schema=BROUGHT)))])
    update_index(PROJECT, tmp_path)
    found = {near.question_id: near for near in asked(tmp_path, text).found}
    assert {identity: near.status for identity, near in found.items() if near.discipline == "logic"} == {
        ids[0]: "kept", ids[1]: None, ids[2]: "near_duplicate", ids[3]: "failed",
    }  # fmt: skip
    ours = [near for near in found.values() if near.discipline == "reference:set"]
    assert [(near.status, near.text, near.similarity) for near in ours] == [("reference", text, 1.0)]


@pytest.mark.parametrize(
    ("over", "text"), [("questions", "Why {}?"), ("answers", "Since all {} are so."), ("both", "Why {}?\n\nSince all {} are so.")]
)
def test_what_is_compared_is_the_text_that_is_indexed(over: Literal["questions", "answers", "both"], text: str, tmp_path: Path) -> None:
    project, partitions = replace(PROJECT, dedup=Dedup(over=over)), Partitions(tmp_path)
    words = "odd numbers have no half that is whole and even ones have one which is odd or even again as it happens to be in turn"
    one, other = f"{words} at all", f"{words} in fact"
    logic = rows.with_question(rows.made("logic", pairs=3), 0, text=f"Why {one}?")
    answers = [replace(answer, text=f"Since all {one} are so.") for answer in logic.answers[:1]]
    rows.store(partitions, rows.with_failed_answer(replace(logic, answers=(*answers, *logic.answers[1:])), 1))
    signed, content = sign_questions(partitions, "logic", project.dedup)
    recipe_now = canonical(recipe(project, "signatures", project.discipline("logic")))
    partitions.write("signatures", "logic", signed, PartitionMeta("signatures", "logic", content, content, recipe_now))
    pair = pa.table([[f"Why {other}?"], [f"Since all {other} are so."], [1]], schema=BROUGHT)
    add_references(project, partitions, [(Path("/data/set.csv"), Brought(FORM, pair))])
    update_index(project, tmp_path)
    found = asked(tmp_path, text.format(one, one), project=project)
    assert (found.over, found.behind) == (over, ())
    assert [(near.discipline, near.status, near.text) for near in found.found] == [
        ("logic", "kept", text.format(one, one)), ("reference:set", "reference", text.format(other, other)),
    ]  # fmt: skip
    mine = shingles(text.format(one, one), 3)
    assert [near.similarity for near in found.found] == [1.0, jaccard(mine, shingles(text.format(other, other), 3))]
    # Declared otherwise since: what is indexed is another text, and so it says.
    later: Literal["answers", "both"] = "both" if over == "answers" else "answers"
    assert asked(tmp_path, words, project=replace(project, dedup=Dedup(over=later))).behind == ("logic",)


def test_a_text_of_fewer_words_than_a_shingle_finds_the_same_words_alone(tmp_path: Path) -> None:
    folder = stored(tmp_path, "Even numbers", "Even numbers are fine")
    assert [(near.text, near.similarity) for near in asked(folder, "even  NUMBERS!").found] == [("Even numbers", 1.0)]
    assert asked(folder, "entirely other words than any").found == ()
    for wordless in ("", "…?!"):
        with pytest.raises(GlandError, match="no word in that text"):
            asked(folder, wordless)


def test_of_too_many_those_that_share_most_bands_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "name the first of nine or ten odd numbers and say what makes it one"
    folder = stored(tmp_path, *(f"{text} {'again' if number else ''} {number or ''}" for number in range(6)))
    everything = asked(folder, text)
    monkeypatch.setattr(looking, "MOST", 2)
    found = asked(folder, text)
    assert everything.compared == 6 and (found.compared, found.left_out) == (2, 4)
    assert found.found[0].similarity == everything.found[0].similarity == 1.0


def test_questions_that_are_not_indexed_yet_are_told_of(tmp_path: Path) -> None:
    folder = stored(tmp_path, "why is one a number")
    later = rows.with_question(rows.made("logic", pairs=2), 0, text="why is one a number at all")
    rows.store(Partitions(folder), later)
    found = asked(folder, "why is one a number")
    assert found.behind == ("logic",)
    update_index(PROJECT, folder)
    assert asked(folder, "why is one a number").behind == ()


def test_without_an_index_the_next_step_is_named(tmp_path: Path) -> None:
    with pytest.raises(GlandError, match=r"minhash\.duckdb is not there yet; `gland build`"):
        asked(tmp_path, "why is one a number")


def test_an_index_that_another_program_holds_is_named_with_it(tmp_path: Path) -> None:
    folder = stored(tmp_path, "why is one a number")
    line = [sys.executable, "-c", HOLD, str(folder / INDEX)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(GlandError, match=rf"is held by process {holder.pid} .*; ask again when it has let go"):
            asked(folder, "why is one a number", wait_s=0)
        holder.communicate("")
    assert asked(folder, "why is one a number").found


def test_how_many_share_a_band_is_told_as_it_is_known() -> None:
    dedup = Dedup()
    assert recall(0.7, dedup.bands, dedup.rows) == pytest.approx(0.9929, abs=1e-4)
    assert recall(1.0, 1, 1) == 1.0 and recall(0.0, 25, 5) == 0.0
