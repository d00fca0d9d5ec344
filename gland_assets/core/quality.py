"""The rules a reply must pass before anything is read from it. Pure, declared in one table, the same for fresh and for stored replies.

Limits are set so that a good answer passes: code, tables, lists, derivations and long numbers repeat themselves more than prose does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from gland_assets.core.alphabets import foreign
from gland_assets.core.refusals import refusal
from gland_assets.core.requests import Rejected
from gland_assets.core.structured import json_of, text_values

RULES = {
    "content_filter": "the provider's own filter cut the reply",
    "only_reasoning": "the model reasoned and wrote no final text",
    "empty": "no letter or digit in it",
    "loop": "it says the same over and over",
    "cut_off": "it stopped at the token limit",
    "refusal": "it opens by declining to answer",
    "echo": "it hands back the prompt",
    "alphabet": "it is not written in the alphabet of the dataset's `language`",
    "not_json": "a schema was asked for and it holds no JSON",
    "schema": "its JSON does not fit the schema",
}
"""Cause of a rejection -> what it means. In the order they are looked at; what reads the reply may add causes of its own
(core/parsing.py). docs/replies.md shows all of them, and the limits below."""

WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|[^\W\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")
ASCII_WORD = re.compile(r"\w+", re.ASCII)  # what WORD finds in ASCII text, in a quarter of the time
LETTERS = re.compile(r"[^\W\d_]{2,}|[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
RUN = re.compile(r"([^\W\d_])\1{59,}|(\d)\2{119,}|([^\w\s])\3{299,}|\d{300,}")
RUN_PIECE = 30  # characters: half of the shortest run, so that every run holds a whole piece of the text, cut at every 30th character
SENTENCE = re.compile(r"[.!?\u3002\uff01\uff1f\n]+")

ECHO_GRAM = 5  # words
LOOP_GRAM = 4  # words
LOOP_LEAST = 40  # 4-grams: a shorter text is too short to speak of a share
SUSPECT = 0.15  # share of repeated 4-grams below which no closer look is needed; prose has 0.00-0.05
PERIODS = 60  # words: the longest stretch looked for as one that repeats back to back
COPIES = 5  # back-to-back copies that make a loop
PERIODIC_LEAST = 40  # words those copies hold together
LINE_WORDS, LINE_COPIES, LINE_SHARE = 5, 4, 0.25  # a sentence of so many lettered words, so often, so much of the text


MEASURES = {
    "echo": f"share of its word {ECHO_GRAM}-grams that stand in the prompt: below",
    "loop": f"share of its word {LOOP_GRAM}-grams, those of mostly different words, that it has said before: below",
    "alphabet": "share of its letters in a script of the dataset's `language`, code and formulas aside: at least",
}
"""What is measured of a reply -> how, and on which side of the limit a good one lies."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of the MEASURES for one use of the model, as shares from 0 to 1."""

    echo: float | None  # None: copying is what was asked for
    loop: float = 0.5
    alphabet: float = 0.3


LIMITS = {
    "subjects": Limits(echo=0.6),
    "syllabi": Limits(echo=0.6),
    "questions": Limits(echo=0.7),  # a question may name sessions and concepts as the syllabus words them
    # An answer may give back a corrected text or the code it was shown, and quote at length what is in another alphabet.
    "answers": Limits(echo=0.95, alphabet=0.1),
}
# Read out of an earlier turn, and lists are worded alike; levels are English words in any language.
STRUCTURED = Limits(echo=None, loop=0.75, alphabet=0.15)
OTHER = Limits(echo=0.95, alphabet=0.1)


def check(text: str, finish_reason: str, prompts: Sequence[str], stage: str, structured: bool = False, language: str = "") -> None:
    """Raises Rejected(cause, detail), cause one of RULES, when a reply must not be used.

    `prompts` are the texts of the user's turns before it, `structured` says that a JSON schema was asked for:
    then it is the JSON's values that are looked at. `language` is the dataset's, as an ISO 639-1 code.
    """
    limits = STRUCTURED if structured else LIMITS.get(stage, OTHER)
    if finish_reason == "content_filter":
        raise Rejected("content_filter", "the provider's filter cut the reply")
    more = f"raise max_tokens for stage {stage!r}"
    if finish_reason == "only_reasoning":
        raise Rejected("only_reasoning", f"the model reasoned and wrote no final text; {more}, or let it reason less")
    said = _values(text) if structured else text
    if finish_reason != "length" and not any(map(str.isalnum, said)):
        raise Rejected("empty", f"no letter or digit in {text.strip()[:80]!r}")
    if found := loop(said, limits.loop):
        raise Rejected("loop", found)
    if finish_reason == "length":
        raise Rejected("cut_off", f"stopped at the token limit after {len(text)} characters; {more}")
    if found := refusal(said):
        raise Rejected("refusal", f"opens with {found!r}")
    if found := echo(said, prompts, limits.echo):
        raise Rejected("echo", found)
    if found := foreign(said, language, prompts, limits.alphabet):
        raise Rejected("alphabet", f"{found}; say in the prompt which language to write")


def _values(text: str) -> str:
    try:
        return "\n".join(text_values(json_of(text)))
    except Rejected:
        return text  # the schema's check will say so; what is left of it may still show why


@lru_cache(maxsize=8)  # a reply's are looked at by several rules, and a prompt is often that of the next reply too
def words(text: str) -> tuple[str, ...]:
    """The words of a text, case aside; of Chinese and Japanese, each character."""
    plain = text.casefold()
    return tuple((ASCII_WORD if plain.isascii() else WORD).findall(plain))


def _grams(items: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return list(zip(*(items[start:] for start in range(size)), strict=False))


def echo(text: str, prompts: Sequence[str], limit: float | None) -> str | None:
    """What was seen, when `text` is a turn of the prompt, or at least `limit` of its word 5-grams stand in the prompt."""
    said = words(text)
    if any(said == words(prompt) for prompt in prompts):
        return "the reply is the prompt"
    grams = _grams(said, ECHO_GRAM)
    if limit is None or len(grams) < ECHO_GRAM:
        return None
    vocabulary = set().union(*map(words, prompts))
    if sum(map(vocabulary.__contains__, said[: len(grams)])) / len(grams) < limit:
        return None  # a gram stands in no prompt that its first word does not stand in
    known = {gram for prompt in prompts for gram in _grams(words(prompt), ECHO_GRAM)}
    share = sum(map(known.__contains__, grams)) / len(grams)
    return f"{share:.0%} of its word {ECHO_GRAM}-grams stand in the prompt" if share >= limit else None


def loop(text: str, limit: float) -> str | None:
    """What was seen, when `text` repeats itself as no good answer does."""
    if _may_run(text) and (run := RUN.search(text)):
        return f"a run of {len(run.group())} characters {run.group()[:20]!r}"
    said = words(text)
    if _repeated(_grams(said, LOOP_GRAM)) < SUSPECT:
        return None
    return _periodic(said) or _repeated_sentence(text, len(said)) or _repeated_grams(said, limit)


def _may_run(text: str) -> bool:
    """Whether RUN can find anything; it is slow, and nearly always there is nothing."""
    pieces = (text[start : start + RUN_PIECE] for start in range(0, len(text) - RUN_PIECE + 1, RUN_PIECE))
    return any(piece == piece[0] * RUN_PIECE or piece.isdecimal() for piece in pieces)


def _repeated(grams: Sequence[tuple[str, ...]]) -> float:
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def _repeated_grams(said: Sequence[str], limit: float) -> str | None:
    # Truth tables, matrices and code repeat short tokens by their nature: only grams of mostly different words count.
    grams = [gram for gram in _grams(said, LOOP_GRAM) if len({word for word in gram if LETTERS.fullmatch(word)}) >= LOOP_GRAM - 1]
    share = _repeated(grams)
    return f"{share:.0%} of its word {LOOP_GRAM}-grams repeat" if len(grams) >= LOOP_LEAST and share >= limit else None


def _periodic(said: Sequence[str]) -> str | None:
    for period in range(1, min(PERIODS, len(said) // COPIES) + 1):
        least = max((COPIES - 1) * period, PERIODIC_LEAST - period)
        same = 0
        for place in range(period, len(said)):
            same = same + 1 if said[place] == said[place - period] else 0
            if same >= least:
                copy = said[place - period + 1 : place + 1]
                if any(map(LETTERS.fullmatch, copy)):
                    return f"{same // period + 1} copies in a row of {' '.join(copy)[:80]!r}"
    return None


def _repeated_sentence(text: str, total: int) -> str | None:
    counts = Counter(filter(None, map(_plain, SENTENCE.split(text))))
    for sentence, count in counts.most_common(3):
        lettered = len(list(filter(LETTERS.fullmatch, sentence.split())))
        if count >= LINE_COPIES and lettered >= LINE_WORDS and count * lettered >= LINE_SHARE * total:
            return f"{count} times the sentence {sentence[:80]!r}"
    return None


def _plain(sentence: str) -> str:
    return " ".join(words(sentence))
