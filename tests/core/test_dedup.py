"""Laws of near duplicates: signatures are datasketch's, every dropped question has a kept one it duplicates, order changes nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Hashable
from dataclasses import replace
from hashlib import blake2b
from random import Random

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core import dedup as module
from gland_assets.core.dedup import (
    LAST_SPACE,
    band_keys,
    jaccard,
    normalise,
    shingles,
    sign,
    signatures,
    text_hash,
    word_tuples,
)
from gland_assets.core.near import LOOKED_AT
from gland_assets.core.project import Dedup
from gland_assets.core.records import Duplicate
from gland_assets.core.shingling import LAST_LETTER
from gland_assets.core.texts import Texts
from tests.duplicates import Entry, keys_of
from tests.duplicates import found as find_duplicates
from tests.murmur import murmur

DEDUP = Dedup()
ANY_TEXT = st.text(st.characters() | st.characters(categories=["Cs", "Zs", "Cc"]), max_size=80)  # half surrogates too
WORDS = st.lists(st.sampled_from(["what", "is", "the", "slope", "of", "a", "line", "Ünïcode", "ДОМ", "数学", "2", "x_1"]), max_size=14)
SENTENCES = WORDS.map(" ".join)


def entries(texts: list[str], publishable: list[bool] | None = None, dedup: Dedup = DEDUP) -> list[Entry]:
    """One entry a text, ids in order."""
    keys = band_keys(signatures(texts, dedup), dedup)
    flags = publishable or [True] * len(texts)
    return [
        Entry(
            f"q{index:05}",
            f"d{index % 3}",
            text,
            text_hash(text),
            keys_of(keys[index].tobytes()) if shingles(text, 3) else (),
            flags[index],
        )
        for index, text in enumerate(texts)
    ]


def datasketch_of(text: str, dedup: Dedup) -> MinHash:
    made = MinHash(num_perm=dedup.num_perm, seed=dedup.seed, hashfunc=murmur, scheme="affine32")
    made.update_batch([shingle.encode() for shingle in shingles(text, dedup.ngram)])
    return made


def test_the_hash_is_murmur_as_it_is_published() -> None:
    """The vectors that its implementations are checked with, for seed 0."""
    told = {b"": 0, b"test": 0xBA6BD213, b"Hello, world!": 0xC0363E43, b"The quick brown fox jumps over the lazy dog": 0x2E4FF723}
    assert {data: murmur(data) for data in told} == told


@settings(max_examples=300, deadline=None)
@given(st.lists(ANY_TEXT | SENTENCES, max_size=6), st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 64, 125, 128, 256]), st.integers(1, 8))
def test_signatures_equal_those_of_datasketch(texts: list[str], seed: int, num_perm: int, ngram: int) -> None:
    dedup = Dedup(num_perm=num_perm, seed=seed, ngram=ngram)
    ours = signatures(texts, dedup)
    for text, row in zip(texts, ours, strict=True):
        theirs = datasketch_of(text, dedup)
        assert row.dtype == theirs.hashvalues.dtype == np.uint32
        assert row.tolist() == theirs.hashvalues.tolist()


@pytest.mark.parametrize("text", ["", "?! …", "why", "Why?", "ß", "İstanbul", "ΟΔΟΣ ΟΔΟΣ", "𐐀𐐁 𓀀", "a\ud800b", "x" * 140_000, "é" * 300])
@pytest.mark.parametrize("ngram", [1, 3])
def test_a_text_of_any_script_and_length_is_signed_as_by_datasketch(text: str, ngram: int) -> None:
    dedup = Dedup(ngram=ngram)
    beside = signatures(["Before it.", text, "after"], dedup)
    assert beside[1].tolist() == signatures([text], dedup)[0].tolist() == datasketch_of(text, dedup).hashvalues.tolist()


def test_bulk_signing_by_datasketch_gives_the_same() -> None:
    rng = Random(7)
    texts = [" ".join(rng.choice(["slope", "of", "a", "line", "Ünïcode", "数学"]) for _ in range(rng.randrange(60))) for _ in range(700)]
    shingled = ([shingle.encode() for shingle in shingles(text, 3)] for text in texts)
    theirs = MinHash.bulk(shingled, num_perm=64, seed=9, hashfunc=murmur, scheme="affine32")
    ours = signatures(texts, Dedup(num_perm=64, seed=9, bands=10))
    assert np.array_equal(ours, np.vstack([each.hashvalues for each in theirs]))


@settings(max_examples=60, deadline=None)
@given(st.lists(ANY_TEXT | SENTENCES, max_size=12), st.integers(1, 60), st.integers(1, 4), st.integers(1, 5))
def test_how_texts_are_cut_for_signing_changes_nothing(texts: list[str], stretch: int, together: int, piece: int) -> None:
    whole = sign(Texts.of(texts), DEDUP)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("STRETCH", stretch), ("TOGETHER", together), ("PIECE", piece), ("LAID", stretch)):
            patch.setattr(module, name, value)
        cut = sign(Texts.of(texts), DEDUP)
    assert np.array_equal(whole.signatures, cut.signatures) and np.array_equal(whole.bands, cut.bands)
    assert whole.text_hashes == cut.text_hashes and np.array_equal(whole.worded, cut.worded)


def test_long_texts_are_signed_the_same_whatever_stands_beside_them() -> None:
    rng = Random(5)
    texts = [" ".join(str(rng.randrange(10_000)) for _ in range(n)) for n in (9_000, 0, 3, 5_000, 1, 4_096, 50)]
    together = signatures(texts, DEDUP)
    assert np.array_equal(together, np.vstack([datasketch_of(text, DEDUP).hashvalues for text in texts]))


@given(ANY_TEXT)
def test_a_normalised_text_is_in_lower_case_with_its_spacing_evened_out(text: str) -> None:
    assert normalise(text) == re.sub(r"\s+", " ", text.lower()).strip()


@given(ANY_TEXT | SENTENCES)
def test_a_text_hash_is_that_of_the_normalised_text(text: str) -> None:
    every = (text, f" {text}\u3000", text.replace(" ", "  "), f"{text}\r\n{text}", f"{text}\x1f{text}\xa0.")
    hashes = [blake2b(normalise(spaced).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest() for spaced in every]
    assert [text_hash(spaced) for spaced in every] == hashes
    assert [found.hex() for found in sign(Texts.of(every), DEDUP).text_hashes] == hashes


def test_no_later_code_point_is_spacing_or_part_of_a_word() -> None:
    assert max(point for point in range(0x110000) if re.match(r"\w", chr(point))) <= LAST_LETTER
    assert max(point for point in range(0x110000) if chr(point).isspace()) == LAST_SPACE


@given(ANY_TEXT)
def test_case_and_spacing_change_neither_hash_nor_shingles(text: str) -> None:
    spaced = "  " + text.lower().replace(" ", " \n\t ") + " "
    assert text_hash(spaced) == text_hash(text)
    assert shingles(spaced, 3) == shingles(text, 3)
    assert normalise(normalise(text)) == normalise(text)


@given(ANY_TEXT | SENTENCES, ANY_TEXT | SENTENCES, st.integers(1, 4))
def test_words_apart_are_as_alike_as_shingles(one: str, other: str, ngram: int) -> None:
    assert {" ".join(words) for words in word_tuples(one, ngram)} == shingles(one, ngram)
    assert jaccard(word_tuples(one, ngram), word_tuples(other, ngram)) == jaccard(shingles(one, ngram), shingles(other, ngram))


def test_lower_case_is_that_of_unicode_text() -> None:
    assert shingles("ÉCOLE ДОМ", 3) == {"école дом"}
    assert "ÉCOLE".encode().lower().decode() != "école"  # what bytes.lower() would have given


def test_a_text_shorter_than_a_shingle_is_one_shingle() -> None:
    assert shingles("Why?", 3) == {"why"}
    assert shingles("one two", 3) == {"one two"}
    assert shingles("one two three four", 3) == {"one two three", "two three four"}
    assert shingles("?! …", 3) == frozenset()


@given(st.lists(ANY_TEXT | SENTENCES, max_size=6))
def test_texts_are_signed_in_order_and_those_without_a_word_told_apart(texts: list[str]) -> None:
    signed = sign(Texts.of(texts), DEDUP)
    assert signed.text_hashes == [bytes.fromhex(text_hash(text)) for text in texts]
    assert signed.worded.tolist() == [bool(shingles(text, 3)) for text in texts]
    alone = [signatures([text], DEDUP)[0] for text in texts]
    assert [row.tolist() for row in signed.signatures] == [row.tolist() for row in alone]
    assert np.array_equal(signed.bands, band_keys(signed.signatures, DEDUP))


def test_stored_signatures_load_as_datasketch_minhashes() -> None:
    text = "State the axiom of choice in one line."
    stored = sign(Texts.of([text]), DEDUP).signatures[0].tolist()
    loaded = MinHash(hashvalues=np.array(stored, dtype=np.uint32), seed=DEDUP.seed, num_perm=DEDUP.num_perm, scheme="affine32")
    made = datasketch_of(text, DEDUP)
    assert loaded == made and loaded.jaccard(made) == 1.0


def test_band_keys_differ_by_band_and_agree_only_where_the_rows_do() -> None:
    values = signatures(["a b c d e f g h", "a b c d e f g h", "p q r s t u v w"], DEDUP)
    keys = band_keys(values, DEDUP)
    assert keys.shape == (3, DEDUP.bands) and keys.dtype == np.uint32
    assert keys[0].tolist() == keys[1].tolist() and not set(keys[0].tolist()) & set(keys[2].tolist())
    same = np.zeros((1, DEDUP.num_perm), dtype=np.uint32)
    assert len(set(band_keys(same, DEDUP)[0].tolist())) == DEDUP.bands


near_texts = st.lists(SENTENCES | ANY_TEXT, min_size=1, max_size=25)
flags = st.lists(st.booleans(), min_size=25, max_size=25)


@settings(max_examples=150, deadline=None)
@given(near_texts, flags, st.sampled_from([0.3, 0.7, 1.0]))
def test_every_dropped_question_has_a_kept_one_it_duplicates(texts: list[str], publishable: list[bool], threshold: float) -> None:
    dedup = replace(DEDUP, threshold=threshold)
    given_entries = entries(texts, publishable)
    by_id = {entry.question_id: entry for entry in given_entries}
    found = find_duplicates(given_entries, dedup)
    dropped = {row.question_id for row in found}
    assert len(dropped) == len(found)
    for row in found:
        one, kept = by_id[row.question_id], by_id[row.kept_id]
        assert row.kept_id not in dropped and one.publishable and kept.publishable
        assert (row.discipline, row.kept_discipline) == (one.discipline, kept.discipline)
        if row.kind == "exact":
            assert one.text_hash == kept.text_hash and row.jaccard == 1.0
        else:
            assert row.kind == "near"
            assert row.jaccard == jaccard(shingles(one.text, 3), shingles(kept.text, 3)) >= threshold


@settings(max_examples=100, deadline=None)
@given(near_texts, flags, st.randoms(use_true_random=False))
def test_the_order_of_entries_changes_nothing(texts: list[str], publishable: list[bool], rng: Random) -> None:
    given_entries = entries(texts, publishable)
    shuffled = rng.sample(given_entries, len(given_entries))
    assert find_duplicates(shuffled, DEDUP) == find_duplicates(given_entries, DEDUP)


@settings(max_examples=100, deadline=None)
@given(near_texts, flags)
def test_what_is_kept_holds_no_duplicates(texts: list[str], publishable: list[bool]) -> None:
    given_entries = entries(texts, publishable)
    dropped = {row.question_id for row in find_duplicates(given_entries, DEDUP)}
    assert find_duplicates([entry for entry in given_entries if entry.question_id not in dropped], DEDUP) == []


@settings(max_examples=60, deadline=None)
@given(near_texts)
def test_no_two_kept_questions_have_the_same_text(texts: list[str]) -> None:
    given_entries = entries(texts)
    dropped = {row.question_id for row in find_duplicates(given_entries, DEDUP)}
    kept = [entry.text_hash for entry in given_entries if entry.question_id not in dropped]
    assert len(kept) == len(set(kept))


LONG = "explain why the derivative of a constant function vanishes everywhere on the open interval between zero and one for each choice"


def test_a_failed_question_is_neither_kept_against_others_nor_dropped() -> None:
    found = find_duplicates(entries([LONG, LONG, LONG.replace("zero", "nought")], [False, True, True]), DEDUP)
    assert [(row.question_id, row.kept_id, row.kind) for row in found] == [("q00002", "q00001", "near")]


def test_exact_and_near_duplicates_are_found_across_disciplines() -> None:
    other = "name three rivers that reach the northern sea and say which of them is the longest and why"
    found = find_duplicates(entries([LONG, other, LONG.upper(), LONG + " here"]), DEDUP)
    size = len(shingles(LONG, 3))
    assert found == [
        Duplicate("q00002", "q00000", "d2", "d0", "exact", 1.0),
        Duplicate("q00003", "q00000", "d0", "d0", "near", size / (size + 1)),
    ]


def test_an_exact_copy_of_a_dropped_question_names_the_kept_one() -> None:
    changed = LONG.replace("zero", "nought")
    found = find_duplicates(entries([LONG, changed, changed]), DEDUP)
    assert [(row.question_id, row.kept_id, row.kind) for row in found] == [("q00001", "q00000", "near"), ("q00002", "q00000", "near")]
    assert found[0].jaccard == found[1].jaccard < 1


def test_near_duplicates_at_the_threshold_are_nearly_all_found() -> None:
    """Recall of 18 bands of 4 rows, over pairs of 50-word questions with Jaccard between 0.7 and 0.95."""
    rng = Random(11)
    texts: list[str] = []
    pairs = 0
    while pairs < 300:
        words = [f"w{rng.randrange(4000)}" for _ in range(50)]
        changed = list(words)
        for place in rng.sample(range(50), rng.choice([1, 2])):
            changed[place] = "other"
        one, other = " ".join(words), " ".join(changed)
        if jaccard(shingles(one, 3), shingles(other, 3)) >= DEDUP.threshold:
            texts += [one, other]
            pairs += 1
    found = find_duplicates(entries(texts), DEDUP)
    assert len(found) >= 0.99 * pairs
    assert all(int(row.question_id[1:]) == int(row.kept_id[1:]) + 1 for row in found)


def test_a_hot_bucket_costs_a_bounded_number_of_comparisons(monkeypatch: pytest.MonkeyPatch) -> None:
    """Templated questions share bands by the thousand without being alike; each looks at LOOKED_AT kept ones in a bucket at most."""
    compared = 0
    measured = jaccard

    def counting(one: frozenset[Hashable], other: frozenset[Hashable]) -> float:
        nonlocal compared
        compared += 1
        return measured(one, other)

    rng = Random(3)
    count = 1_500
    hot = [
        Entry(f"q{index:05}", "d", " ".join(f"w{rng.randrange(10**6)}" for _ in range(12)), f"h{index}", (7, 8)) for index in range(count)
    ]
    hot.append(Entry("q99999", "d", hot[3].text + " more", "h", (7,)))
    monkeypatch.setattr("gland_assets.core.likeness.jaccard", counting)
    found = find_duplicates(hot, DEDUP)
    assert [(row.question_id, row.kept_id) for row in found] == [("q99999", "q00003")]
    assert compared <= (count + 1) * LOOKED_AT  # both buckets hold the same kept ones


def test_signing_loads_neither_datasketch_nor_scipy() -> None:
    sign = "import sys; from gland_assets.core.dedup import signatures; from gland_assets.core.project import Dedup; "
    code = f"{sign}signatures(['What is a proof?'], Dedup()); sys.exit(bool({{'datasketch', 'scipy'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
