"""Laws of decontamination: what is planted is found, what is found stands in both texts, and hashes find what words alone find."""

from __future__ import annotations

from collections import Counter
from pydoc_data.topics import topics
from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gland_assets.core.decontamination import BOILERPLATE, SHORTEST, Item, Match, Text, match
from gland_assets.core.leaks import Benchmark, Index, Leak
from gland_assets.core.ngrams import MARKED, gram_hashes, marks_of, words_of
from gland_assets.core.project import RULES, Rule
from gland_assets.core.texts import LAST_CAPITAL, Texts, lower_beyond_ascii, lowered

WORDS = "the of Limit série Σίσυφος İzmir x_1 42 größer naïve – “ ” ( ) = .".split()
few = st.lists(st.sampled_from([*"abcdefg", "Σ", "x_1", "42"]), max_size=14).map(" ".join)
long = st.lists(st.sampled_from("a of limit Σ série naïve x_1 42 incomprehensible antidisestablishment".split()), max_size=40).map(" ".join)
prose = st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join)
wild = st.text(max_size=40)
rules = st.lists(st.builds(Rule, st.integers(2, 9), st.sampled_from([0.0, 0.3, 0.5, 0.9])), min_size=1, max_size=3).map(
    lambda some: tuple(sorted(some, key=lambda rule: -rule.ngram))
)
LONG = "A train leaves the old station at nine and needs three hours for the 240 miles to the coast; how fast does it go on average?"


def benchmark(*texts: str, rules: tuple[Rule, ...] = RULES) -> Benchmark:
    return Benchmark("set", rules, [Item("test", str(number), text) for number, text in enumerate(texts)])


def found(texts: list[str], *benchmarks: Benchmark) -> list[Leak]:
    return list(Index(benchmarks).search(Texts.of(texts)))


def by_words(texts: list[str], one: Benchmark) -> list[tuple[int, str, Match]]:
    """What a search finds, from sets of words alone: every text against every item."""
    items = [Text(item.text) for item in one.items]
    boilerplate = {}
    for size in {*(rule.ngram for rule in one.rules), *(len(item.words) for item in items)}:
        held = Counter(gram for item in items for gram in item.grams(size)) if size else Counter()
        boilerplate[size] = {gram for gram, count in held.items() if count > BOILERPLATE}
    pairs = ((number, item, Text(text)) for number, text in enumerate(texts) for item in range(len(items)))
    return [
        (number, one.items[item].item_id, hit) for number, item, text in pairs if (hit := match(text, items[item], one.rules, boilerplate))
    ]  # fmt: skip


@settings(deadline=None)  # the first call makes tables
@given(st.lists(few, max_size=30), st.lists(few, max_size=8), rules)
@example(["a b c d e"] * (BOILERPLATE + 1), ["a b c d e"], RULES)
@example(["a b c d e"] * BOILERPLATE, ["a b c d e"], RULES)
@example([f"a b c d e f g {number}" for number in range(BOILERPLATE + 2)], ["a b c d e f g 3", "a b c d e f g"], (Rule(9), Rule(4, 0.5)))
def test_the_search_finds_what_words_alone_find(items: list[str], texts: list[str], rules: tuple[Rule, ...]) -> None:
    one = benchmark(*items, rules=rules)
    assert [(leak.text, leak.item.item_id, leak.match) for leak in found(texts, one)] == by_words(texts, one)


@settings(deadline=None)
@given(st.data(), st.lists(long, min_size=1, max_size=8), rules)
def test_the_search_finds_parts_of_items_wherever_they_stand(data: st.DataObject, items: list[str], rules: tuple[Rule, ...]) -> None:
    """However long the words are, of which a text repeats some of an item's, up to all of them, among others."""

    def part() -> str:
        words = data.draw(st.sampled_from(items)).split()
        first = data.draw(st.integers(0, len(words)))
        return " ".join(words[first : data.draw(st.integers(first, len(words)))])

    texts = [data.draw(st.sampled_from(["", "?", "And ", "(1) "])) + f"{part()}, {part()} {data.draw(few)}" for _ in range(3)]
    one = benchmark(*items, rules=rules)
    assert [(leak.text, leak.item.item_id, leak.match) for leak in found(texts, one)] == by_words(texts, one)


@given(st.lists(prose | wild, min_size=1, max_size=6), prose | wild, prose | wild, st.data())
def test_a_planted_item_is_found_wherever_it_stands(items: list[str], before: str, after: str, data: st.DataObject) -> None:
    planted = data.draw(st.sampled_from(items))
    hits = {leak.item.text: leak.match for leak in found([f"{before}\n{planted}\n{after}"], benchmark(*items))}
    if len(Text(planted).words) >= SHORTEST:
        assert hits[planted].share == 1 and hits[planted].ngram is None


@given(st.lists(few | prose, max_size=12), st.lists(few | prose, max_size=6), rules)
def test_what_is_found_stands_in_both_texts_and_is_the_same_by_its_words(
    items: list[str], texts: list[str], rules: tuple[Rule, ...]
) -> None:
    for leak in found(texts, benchmark(*items, rules=rules)):
        assert leak.match.span in texts[leak.text] and leak.match.item_span in leak.item.text
        assert Text(leak.match.span).words == Text(leak.match.item_span).words
        assert len(Text(leak.match.span).words) >= (leak.match.ngram or SHORTEST)
        assert 0 < leak.match.share <= 1
        if leak.match.ngram:
            assert leak.match.share > min(rule.share for rule in rules if rule.ngram == leak.match.ngram)


@given(st.lists(few, max_size=10), st.lists(few | prose, max_size=6), st.randoms(use_true_random=False))
def test_neither_order_nor_neighbours_change_what_is_found(items: list[str], texts: list[str], rng: Random) -> None:
    def hits(texts: list[str], items: list[str]) -> Counter[tuple[str, str, Match]]:
        return Counter((texts[leak.text], leak.item.text, leak.match) for leak in found(texts, benchmark(*items, rules=(Rule(3),))))

    whole = hits(texts, items)
    assert whole == sum((hits([text], items) for text in texts), Counter())
    assert whole == hits(rng.sample(texts, len(texts)), rng.sample(items, len(items)))


@given(st.lists(prose | wild, max_size=8), st.integers(1, 60))
def test_words_are_hashed_alike_in_pieces_of_any_size(texts: list[str], size: int) -> None:
    found = words_of(Texts.of(texts))
    words = [Text(text).words for text in texts]
    assert found.ends.tolist() == [sum(map(len, words[: number + 1])) for number in range(len(words))]
    assert len(dict(zip([word for each in words for word in each], found.hashes.tolist(), strict=True))) == len(set(found.hashes.tolist()))
    pieces = list(Texts.of(texts).pieces(size))
    assert [first for first, _ in pieces] == [sum(len(piece.ends) for _, piece in pieces[:at]) for at in range(len(pieces))]
    assert [value for _, piece in pieces for value in words_of(piece).hashes.tolist()] == found.hashes.tolist()
    assert [piece.text(at) for _, piece in pieces for at in range(len(piece.ends))] == texts
    assert Texts.of(texts).some(range(0, len(texts), 2)).parts() == Texts.of(texts[::2]).parts()


@given(st.lists(prose | wild | few, max_size=12))
def test_words_that_begin_alike_have_the_same_mark_wherever_they_stand(texts: list[str]) -> None:
    words = [[word.encode("utf-8", "surrogatepass") for word in Text(text).words] for text in texts]
    marks, at, ends = marks_of(Texts.of(texts))
    assert np.searchsorted(at, ends).tolist() == [sum(map(len, words[: number + 1])) for number in range(len(words))]
    found: dict[bytes, int] = {}
    for word, mark in zip([word for each in words for word in each], marks.tolist(), strict=True):
        assert found.setdefault(word[:MARKED], mark) == mark


def test_marks_tell_words_apart() -> None:
    words = sorted({word for text in topics.values() for word in Text(text).words})
    marks = marks_of(Texts.of([" ".join(words)])).marks
    assert len(marks) == len(words) and len(set(marks.tolist())) > 240
    assert max(Counter(marks.tolist()).values()) < len(words) / 32


@given(prose, st.integers(1, 12))
def test_an_n_grams_hash_follows_from_its_words(text: str, ngram: int) -> None:
    hashes = words_of(Texts.of([text])).hashes
    rolled = gram_hashes(hashes, ngram)
    assert rolled.tolist() == [gram_hashes(hashes[at : at + ngram], ngram)[0] for at in range(max(0, len(hashes) - ngram + 1))]


@given(st.integers(BOILERPLATE + 1, 30), few, few)
def test_boilerplate_alone_is_never_a_hit(count: int, before: str, after: str) -> None:
    template = "If you follow these instructions do you return to the starting point Always face forward"
    items = [f"{template} {number} steps {number * 7} left" for number in range(count)]
    assert found([f"{before} {template} {after}"], benchmark(*items)) == []
    hits = found([f"{before} {items[3]} {after}"], benchmark(*items))
    assert [leak.item.item_id for leak in hits] == ["3"]


def test_lower_case_moves_no_character() -> None:
    assert all(len(lowered(chr(point))) == 1 for point in range(0x110000))
    capitals = [point for point in range(0x110000) if chr(point).lower() != chr(point)]
    assert max(capitals) <= LAST_CAPITAL
    for point in capitals:
        assert lower_beyond_ascii(Texts.of([chr(point)]), str.lower).text(0) == (chr(point) if point < 0x80 else chr(point).lower())


@pytest.mark.parametrize(
    ("text", "ngram", "share"),
    [
        (LONG, None, 1.0),
        (LONG.upper().replace(" ", "\n").replace(";", " --"), None, 1.0),
        (f"Solve it: {LONG} Show your work.", None, 1.0),
        (LONG.replace("240", "260"), 13, 14 / 26),
        ("How fast does it go on average? A train leaves the old station at nine and needs three hours for the 240 miles", 13, 16 / 26),
        ("A train leaves the old station at nine and needs four days", None, None),
        ("What is the average?", None, None),
    ],
)
def test_what_counts_as_repeated(text: str, ngram: int | None, share: float | None) -> None:
    hits = found([text], benchmark(LONG))
    assert [leak.match.ngram for leak in hits] == ([] if share is None else [ngram])
    assert [leak.match.share for leak in hits] == ([] if share is None else [pytest.approx(share)])


def test_an_item_of_a_few_words_is_found_whole_and_one_of_fewer_never() -> None:
    both = benchmark("What is the speed of light?", "What is matter?")
    assert [leak.item.item_id for leak in found(["Say: what is the speed of light", "What is matter?", "the speed of light"], both)] == [
        "0"
    ]


def test_code_is_the_same_whatever_its_spacing_and_the_marks_of_its_comments() -> None:
    item = (
        'def has_close(numbers: List[float], limit: float) -> bool:\n    """ Check if any two\n    numbers are closer than limit.\n    """'
    )
    text = "def has_close(numbers:List[float],limit:float)->bool:\n\t# Check if any two numbers are closer than limit.\n\treturn False"
    (leak,) = found([text], benchmark(item))
    assert leak.match.ngram is None and leak.match.span.startswith("def has_close(numbers:List") and leak.match.item_span.endswith("limit")
    assert not found([text.replace("List[float]", "list[int]").replace("two", "a few")], benchmark(item))


def test_each_set_has_its_own_rules_and_boilerplate() -> None:
    strict, loose = benchmark(LONG, rules=(Rule(26),)), benchmark(LONG, rules=(Rule(5),))
    hits = found(["and needs three hours for a walk"], strict._replace(name="strict"), loose._replace(name="loose"))
    assert [(leak.benchmark, leak.match.ngram, leak.match.span) for leak in hits] == [("loose", 5, "and needs three hours for")]


def test_a_set_without_a_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="has no rule"):
        Index([benchmark(LONG, rules=())])


def test_nothing_is_found_without_sets_or_texts() -> None:
    assert found([LONG]) == found([], benchmark(LONG)) == found(["", ""], benchmark(LONG)) == found([LONG], benchmark("", "–")) == []
