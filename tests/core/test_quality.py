"""The reply rules: what must be refused is, by name, and good answers of every shape pass."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.alphabets import LEAST
from gland_assets.core.chain import DECLINED, FORM, LOCAL_TRIES, TRIES
from gland_assets.core.parsing import CAUSES
from gland_assets.core.quality import LIMITS, MEASURES, RULES, STRUCTURED, WORD, check, echo, loop, words
from gland_assets.core.requests import Rejected

DOCS = (Path(__file__).parents[2] / "docs" / "replies.md").read_text(encoding="utf-8")
PROMPT = """The syllabus: Session 1: Conservation of momentum in two dimensions. Elastic and inelastic collisions of billiard balls.
Key concepts: momentum, impulse, centre of mass. Session 2: Rotation of rigid bodies about a fixed axis. Write one question that combines
these concepts for students who have learned up to session 2."""

CODE = """```python
def merge(left, right):
    result, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        if left[i] <= right[j]:
            result.append(left[i])
            i += 1
        else:
            result.append(right[j])
            j += 1
    result.extend(left[i:])
    result.extend(right[j:])
    return result


def merge_sort(items):
    if len(items) <= 1:
        return items
    middle = len(items) // 2
    return merge(merge_sort(items[:middle]), merge_sort(items[middle:]))


def test_merge_sort():
    assert merge_sort([]) == []
    assert merge_sort([3, 1, 2]) == [1, 2, 3]
    assert merge_sort([5, 4, 3, 2, 1]) == [1, 2, 3, 4, 5]
```
Each level of the recursion touches every item once, and there are log2(n) levels, so the cost is O(n log n)."""

CLASSES = "\n\n".join(
    f"class {name}(Shape):\n    def __init__(self, {size}):\n        super().__init__()\n        self.{size} = {size}\n\n"
    f"    def area(self):\n        return {area}\n\n    def __repr__(self):\n        return f'{name}({{self.{size}}})'"
    for name, size, area in (
        ("Circle", "radius", "math.pi * self.radius ** 2"), ("Square", "side", "self.side ** 2"),
        ("Hexagon", "edge", "3 * math.sqrt(3) / 2 * self.edge ** 2"), ("Cube", "width", "6 * self.width ** 2"),
    )
)  # fmt: skip

GOOD = {
    "a word": "Paris.",
    "a number": "42",
    "one letter": "B",
    "code": CODE,
    "alike classes": CLASSES,
    "multiplication table": "\n".join(" ".join(f"{a} x {b} = {a * b}" for b in range(1, 11)) for a in range(1, 11)),
    "multiplication in words": "\n".join(f"{n} times seven equals {n * 7}" for n in range(1, 40)),
    "truth table": "| p | q | r | s | (p and q) or (r and s) |\n|---|---|---|---|---|\n"
    + "\n".join(
        f"| {' | '.join('T' if n >> b & 1 else 'F' for b in (3, 2, 1, 0))} | {'T' if n & 12 == 12 or n & 3 == 3 else 'F'} |"
        for n in range(16)
    ),
    "truth table in words": "\n".join(f"| {' | '.join(str(bool(n >> b & 1)) for b in range(5))} |" for n in range(32)),
    "zero matrix": "\n".join(" ".join("0" * 12) for _ in range(12)),
    "identity matrix": "\n".join("[" + ", ".join("1" if r == c else "0" for c in range(12)) + "]" for r in range(12)),
    "long division": "1/7 = 0." + "142857" * 12 + "..., a cycle of six digits.",
    "a googol": "A googol is 1" + "0" * 100 + ".",
    "a rule": "Heading\n" + "-" * 120 + "\nText under the heading.",
    "a poly-A tail": "The mRNA ends in " + "A" * 40 + ", added by poly(A) polymerase.",
    "a table": "| element | symbol | number | mass |\n|---|---|---|---|\n"
    + "\n".join(f"| {e} | {s} | {n} | {m} |" for e, s, n, m in (
        ("Hydrogen", "H", 1, 1.008), ("Helium", "He", 2, 4.0026), ("Lithium", "Li", 3, 6.94), ("Beryllium", "Be", 4, 9.0122),
        ("Boron", "B", 5, 10.81), ("Carbon", "C", 6, 12.011), ("Nitrogen", "N", 7, 14.007), ("Oxygen", "O", 8, 15.999),
    )),
    "a list worded alike": "\n".join(
        f"{n}. The {part} of the heart receives blood from the {source} and sends it to the {target}."
        for n, (part, source, target) in enumerate((
            ("right atrium", "venae cavae", "right ventricle"), ("right ventricle", "right atrium", "lungs"),
            ("left atrium", "pulmonary veins", "left ventricle"), ("left ventricle", "left atrium", "aorta"),
        ), 1)
    ),
    "a derivation": "\n".join(
        f"Step {n}: substitute x = {n} into f(x) = x^2 - 3x + 2, which gives f({n}) = {n * n} - {3 * n} + 2 = {n * n - 3 * n + 2}."
        for n in range(1, 9)
    ),
    "sorry in a sentence": "The letter closes with: \"I am sorry for your loss.\" Its tone is formal, as the period demanded.",
    "sorry at the start": "Sorry is an adjective here: it describes the state of the house, and it takes no object.",
    "a letter of regret": "I'm sorry I can't come to your party on Saturday, Anna. My train leaves on Friday evening. Love, Ben",
    "a philosopher": "I'm afraid I cannot agree with Descartes here: doubting presupposes a language, and a language presupposes others.",
    "a song": "I can't help falling in love with you is a line from 1961, set to the melody of an older French song.",
    "about models": "As an AI system grows, its training cost rises faster than its accuracy: a power law.",
    "Chinese": "光合作用是植物利用光能将二氧化碳和水转化为葡萄糖和氧气的过程。它分为光反应和暗反应两个阶段。",
    "Japanese": "光合成とは、植物が光エネルギーを使って二酸化炭素と水から糖と酸素を作り出す反応である。",
    "a question that names sessions": "Two billiard balls of equal mass collide. Using conservation of momentum in two dimensions "
    "and the centre of mass, find the speed of each ball after an elastic collision in which one leaves at 30 degrees, and say how the "
    "answer changes if the first ball also spins.",
}  # fmt: skip

BAD = {
    "empty": ["", "  \n\t", "...", "```\n```", "—"],
    "refusal": [
        "I'm sorry, but I can't help with that request.",
        "I\u2019m sorry, but I cannot assist with that.",
        "Sorry, I can't provide medical advice.",
        "I cannot fulfill this request.",
        "I am unable to provide an answer to this question.",
        "Unfortunately, I am not able to generate that kind of content.",
        "As an AI language model, I don't have personal opinions on this subject.",
        "I'm just an AI and I'm not able to browse the web.",
        "I must respectfully decline.",
        "This request violates the usage policy.",
        "Lo siento, pero no puedo ayudar con eso.",
        "Je suis désolé, mais je ne peux pas vous aider.",
        "Es tut mir leid, aber ich kann dabei nicht helfen.",
        "很抱歉，我无法提供帮助。",
        "申し訳ありませんが、その質問にはお答えできません。",
    ],
    "loop": [
        "The answer is simple. " + "The process continues until the end of the process. " * 30,
        "yes " * 60,
        "the cat the dog " * 30,
        "First, mix the flour. " + "\n".join(["Then add the water to the flour and stir it well."] * 8),
        "la la la hey " * 20 + "and I will love you forever.",
        "aaaa" * 30,
        "0." + "3" * 400,
        "哈" * 80,
        "我们需要考虑这个问题。" * 20,
        " ".join(
            f"It is important to note that the result of the test of the {w} is the same." for w in ("cat", "dog", "fish", "bird") * 5
        ),
    ],
    "echo": [PROMPT, PROMPT.lower(), "Question: " + PROMPT[:400]],
}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("stage", ["questions", "answers", "subjects"])
def test_a_good_reply_passes(name: str, stage: str) -> None:
    check(GOOD[name], "stop", [PROMPT], stage)


@pytest.mark.parametrize(("cause", "text"), [(cause, text) for cause, texts in BAD.items() for text in texts])
def test_a_bad_reply_is_refused_by_name(cause: str, text: str) -> None:
    with pytest.raises(Rejected) as rejected:
        check(text, "stop", [PROMPT], "questions")
    assert rejected.value.cause == cause
    assert rejected.value.cause in RULES


@pytest.mark.parametrize(
    ("reason", "cause"), [("length", "cut_off"), ("content_filter", "content_filter"), ("only_reasoning", "only_reasoning")]
)
def test_the_finish_reason_counts(reason: str, cause: str) -> None:
    with pytest.raises(Rejected) as rejected:
        check("A text that would otherwise do well.", reason, [PROMPT], "answers")
    assert rejected.value.cause == cause


def test_an_answer_may_give_back_the_text_it_was_asked_to_correct() -> None:
    text = "The committee have decided that the new rules, which was written in May, applies to all members of the club from next year on."
    mended = text.replace("have", "has").replace("was", "were").replace("applies", "apply")
    check(mended, "stop", [f"Correct the grammar of this sentence: {text}"], "answers")


def test_a_question_of_the_prompts_own_words_is_an_echo_only_where_copying_is_not_the_task() -> None:
    copied = json.dumps(
        {"title": "Conservation of momentum in two dimensions", "description": "Elastic and inelastic collisions of billiard balls."}
    )
    check(copied, "stop", [PROMPT], "syllabi", structured=True)
    with pytest.raises(Rejected, match="echo"):
        check(
            "Conservation of momentum in two dimensions. Elastic and inelastic collisions of billiard balls.", "stop", [PROMPT], "questions"
        )


def test_of_json_the_values_are_judged_and_not_the_keys() -> None:
    sessions = [{"title": f"Part {n}", "level": "beginner", "key_concepts": [f"concept {n}", f"notion {n}"]} for n in range(40)]
    check(json.dumps({"sessions": sessions}), "stop", [PROMPT], "syllabi", structured=True)
    with pytest.raises(Rejected, match="empty"):
        check('{"sessions": [{"title": ""}]}', "stop", [PROMPT], "syllabi", structured=True)
    with pytest.raises(Rejected, match="loop"):
        check(
            json.dumps({"sessions": sessions[:3] + [{"title": "the history of bread and of bread making"}] * 20}),
            "stop",
            [PROMPT],
            "syllabi",
            True,
        )


def test_sessions_worded_alike_pass() -> None:
    topics = ("flour", "water", "salt", "yeast", "shaping", "proofing", "scoring", "steam", "crust", "crumb", "storage", "faults")
    told = [
        {"title": f"All about {t}", "description": f"In this session, students learn what {t} does and how to judge it."} for t in topics
    ]
    check(json.dumps({"sessions": told}), "stop", [PROMPT], "syllabi", structured=True)


@given(st.text(max_size=400), st.sampled_from(["stop", "length", "content_filter"]), st.text(max_size=200), st.booleans())
def test_every_text_passes_or_is_refused_with_a_declared_cause(text: str, reason: str, prompt: str, structured: bool) -> None:
    try:
        check(text, reason, [prompt], "answers", structured)
    except Rejected as rejected:
        assert rejected.cause in RULES
        assert len(rejected.detail) < 400


@given(st.lists(st.text("abcdefghij", min_size=3, max_size=9), min_size=30, max_size=120, unique=True))
def test_words_that_are_all_different_never_loop(vocabulary: list[str]) -> None:
    check(" ".join(vocabulary), "stop", ["something else"], "answers")


@given(st.lists(st.text("abcdefghij", min_size=3, max_size=9), min_size=1, max_size=50), st.integers(5, 20))
def test_enough_copies_of_any_phrase_are_a_loop(phrase: list[str], more: int) -> None:
    copies = max(more, -(-60 // len(phrase)))
    with pytest.raises(Rejected, match="loop"):
        check(" ".join(phrase * copies), "stop", ["something else"], "answers")


@given(st.text(min_size=1, max_size=300).filter(lambda text: any(map(str.isalnum, text))))
def test_handing_back_a_turn_is_never_accepted(turn: str) -> None:
    with pytest.raises(Rejected):
        check(f" {turn} ", "stop", [turn], "answers")


@given(st.text(max_size=200))
def test_words_ignore_case(text: str) -> None:
    assert words(text.casefold()) == words(text)


def table(head: str) -> list[list[str]]:
    """The cells of the document's table whose first column has this head, its first two rows left out."""
    found = re.search(rf"^\| {head} \|.*\n\|[-|]+\n((?:\|.*\n)+)", DOCS, re.MULTILINE)
    assert found is not None
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in found[1].splitlines()]


def test_the_document_names_every_cause_with_what_follows() -> None:
    follows = {cause: "another seed" for cause in CAUSES | RULES}
    follows |= dict.fromkeys(DECLINED, "another seed, first of another deployment")
    follows |= dict.fromkeys(FORM, "mended, else shown its fault once")
    assert table("cause") == [[f"`{cause}`", meaning, follows[cause]] for cause, meaning in (RULES | (CAUSES | RULES)).items()]
    numbers = {4: "four", 8: "eight", 30: "30"}
    assert f"up to {numbers[TRIES]} replies in all; {numbers[LOCAL_TRIES]} of the bundled model" in DOCS
    assert f"fewer than {numbers[LEAST]} letters" in DOCS


def test_the_document_gives_every_measure_with_its_limits() -> None:
    limits = [asdict(each) for each in (*LIMITS.values(), STRUCTURED)]
    assert list(LIMITS) == ["subjects", "syllabi", "questions", "answers"]
    shown = {measure: ["–" if each[measure] is None else f"{each[measure]}" for each in limits] for measure in MEASURES}
    assert table("measure") == [[f"`{measure}`", *shown[measure], how] for measure, how in MEASURES.items()]
    assert set(limits[0]) == MEASURES.keys()


@pytest.mark.parametrize("reason", ["length", "only_reasoning"])
@pytest.mark.parametrize("text", ["", " \n", "A text that goes on and"])
def test_what_more_tokens_would_cure_says_so(reason: str, text: str) -> None:
    with pytest.raises(Rejected, match=r"raise max_tokens for stage 'answers'"):
        check(text, reason, [PROMPT], "answers")


@given(st.text() | st.text(st.characters(max_codepoint=127)))
def test_words_of_plain_text_are_those_of_any_text(text: str) -> None:
    assert list(words(text)) == WORD.findall(text.casefold())


@given(
    st.text(max_size=70),
    st.sampled_from(["a" * 60, "é" * 75, "7" * 120, "-" * 300, "0123456789" * 30, "٣٤٥" * 100, "鿿" * 61]),
    st.text(max_size=70),
)
def test_no_run_is_missed(before: str, run: str, after: str) -> None:
    assert loop(before + run + after, 1.0) is not None


@given(st.lists(st.sampled_from("abcdefgh"), max_size=60), st.lists(st.sampled_from("abcdefghij"), max_size=60), st.floats(0.1, 1))
def test_the_share_of_grams_in_the_prompt_decides(said: list[str], prompt: list[str], limit: float) -> None:
    grams, known = ([tuple(text[at : at + 5]) for at in range(len(text) - 4)] for text in (said, prompt))
    echoed = said == prompt or (len(grams) >= 5 and sum(gram in known for gram in grams) / len(grams) >= limit)
    assert (echo(" ".join(said), [" ".join(prompt)], limit) is not None) == echoed
