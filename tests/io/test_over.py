"""`[dedup] over`: whichever text of a pair is compared, what is dropped is what the rule says of those texts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core.dedup import sign
from gland_assets.core.hashing import digest
from gland_assets.core.project import Dedup
from gland_assets.core.state import PartitionMeta
from gland_assets.core.texts import Texts
from gland_assets.io.minhash import compute_duplicates
from gland_assets.io.partitions import Partitions
from gland_assets.io.signing import sign_questions, signature_table
from gland_assets.io.texts import compared_texts
from tests import rows
from tests.duplicates import Entry, expected, keys_of

Over = Literal["questions", "answers", "both"]
Pair = tuple[str, str | None]  # question and answer
SLUGS = ("algebra", "logic", "optics")
PAIRS = 4


def families(rng: Random) -> list[str]:
    """Texts of which those of one family are alike, some more than others; one of them in two forms, and one without a word."""
    made = ["?!"]
    for family in range(2):
        words = [f"{rng.choice(rows.WORDS)}{family}x{n}" for n in range(24)]
        made += [" ".join([*words[: 24 - n], *(f"other{family}{m}" for m in range(n))]) for n in (0, 2, 5)]
    return [*made, made[1].upper().replace(" ", "  ")]


def drawn(slug: str, asked: list[str], answered: list[str], rng: Random) -> rows.Made:
    """Pairs whose texts are drawn apart from each other; some have failed, and the answers of some are not made yet."""
    one = rows.made(slug, PAIRS)
    for index in range(PAIRS):
        one = rows.with_question(one, index, text=rng.choice(asked))
    one = replace(one, answers=tuple(replace(answer, text=rng.choice(answered)) for answer in one.answers))
    if rng.random() < 0.4:
        one = rows.with_failed_answer(one, rng.randrange(PAIRS))
    if rng.random() < 0.3:
        failed = rng.randrange(PAIRS)
        one = rows.with_question(one, failed, text=None, failure=rows.failure("questions", one.questions[failed].question_id))
        one = replace(one, answers=tuple(answer for answer in one.answers if answer.question_id != one.questions[failed].question_id))
    return replace(one, answers=one.answers[rng.random() < 0.2 :])


def store(partitions: Partitions, one: rows.Made, dedup: Dedup) -> None:
    rows.store(partitions, one)
    signed, content = sign_questions(partitions, one.discipline, dedup)
    partitions.write("signatures", one.discipline, signed, PartitionMeta("signatures", one.discipline, content, content, "{}"))


def refer(partitions: Partitions, pairs: Iterable[Pair], dedup: Dedup) -> dict[str, Pair]:
    """Store pairs as a reference; its rows by id."""
    held = {digest("reference", *pair): pair for pair in pairs}
    given = [{"question_id": one, "discipline": "reference:r", "text": asked, "answer": told} for one, (asked, told) in held.items()]
    content = digest(sorted(held))
    partitions.write("references", "r", given, PartitionMeta("references", "r", content, content, "{}"))
    signed = signature_table("reference:r", compared_texts(partitions, "reference:r", dedup.over), dedup)
    partitions.write("reference_signatures", "r", signed, PartitionMeta("reference_signatures", "r", content, content, "{}"))
    return held


def concerned(over: Over, question: str | None, answer: str | None) -> str | None:
    """The text by which a pair is compared, as docs/taxonomy.md has it; None of one that has not all of it."""
    if over == "both":
        return None if question is None or answer is None else f"{question}\n\n{answer}"
    return question if over == "questions" else answer


def entries(dedup: Dedup, made: Iterable[rows.Made], referred: dict[str, Pair]) -> list[Entry]:
    """What the rule is asked about."""
    pairs: list[tuple[str, str, str | None, str | None, bool]] = [(one, "reference:r", *pair, True) for one, pair in referred.items()]
    for each in made:
        answers = {answer.question_id: answer for answer in each.answers}
        for question in each.questions:
            answer = answers.get(question.question_id)
            told = answer.text if answer else None
            pairs.append((question.question_id, each.discipline, question.text, told, answer is not None and answer.failure is None))
    texts = [concerned(dedup.over, asked, told) for _, _, asked, told, _ in pairs]
    signed = sign(Texts.of([text or "" for text in texts]), dedup)
    return [
        Entry(one, slug, text, signed.text_hashes[at].hex(), keys_of(signed.bands[at].tobytes()) if signed.worded[at] else (), standing)
        for at, ((one, slug, _, _, standing), text) in enumerate(zip(pairs, texts, strict=True))
        if text is not None
    ]


@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize("over", ["questions", "answers", "both"])
@settings(max_examples=4, deadline=None)
@given(rng=st.randoms(use_true_random=False))
def test_what_is_dropped_is_what_the_rule_says_of_the_texts_concerned(
    over: Over, across: bool, tmp_path_factory: pytest.TempPathFactory, rng: Random
) -> None:
    partitions, dedup = Partitions(tmp_path_factory.mktemp("warehouse")), Dedup(over=over, across=across)
    project = replace(rows.project(SLUGS), dedup=dedup)
    asked, answered = families(rng), families(rng)
    referred = refer(partitions, [(rng.choice(asked), rng.choice([None, *answered])) for _ in range(rng.randrange(3))], dedup)
    made = {slug: drawn(slug, asked, answered, rng) for slug in SLUGS}
    for changed in (SLUGS, [rng.choice(SLUGS)]):
        for slug in changed:
            made[slug] = drawn(slug, asked, answered, rng)
            store(partitions, made[slug], dedup)
        compute_duplicates(project, partitions)
        wanted = expected(entries(dedup, made.values(), referred), dedup)
        assert partitions.rows("duplicates", "all") == [
            {name: getattr(row, name) for name in ("question_id", "kept_id", "discipline", "kept_discipline", "kind", "jaccard")}
            for row in wanted
        ]  # fmt: skip
