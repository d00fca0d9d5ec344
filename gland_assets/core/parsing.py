"""From a model's reply to the value it holds, or to the reason why it must not be used. Pure; raises nothing but Rejected.

What makes any reply unfit (cut off, going round in circles, declining) is looked at before, in core/quality.py.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

from gland_assets.core.requests import Rejected
from gland_assets.core.structured import json_of

CAUSES = {
    "not_json": "it holds no JSON object",
    "schema": "its JSON lacks the list that was asked for",
    "empty": "it holds no word, or stops before it has begun",
    "loop": "it says the same over and over",
    "too_few": "too little of it is usable",
    "has_answer": "the question brings its own answer along",
    "not_a_question": "it asks for nothing, or not at once",
    "not_self_contained": "the question leans on a text, a list or a class that its reader does not have",
    "off_topic": "the question names none of the concepts it was asked for",
    "echo": "the answer only says the question again",
}
"""Cause of a rejection -> what it means, beside those of core/quality.py."""

SubjectFound = tuple[str, str, list[str]]  # name, level, subtopics
SessionFound = tuple[str, str, list[str]]  # title, description, key concepts

MOST_TIMES = 3  # that a weak model's question, one sentence, may say a word of four letters or more
LEAST_PROSE = 60  # characters of a free-text reply below which there is nothing to extract

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\d_]{2,}")  # scripts without blanks: a character is a word
_WHOLE_FENCE = re.compile(r"```(?:text|markdown|md)?[ \t]*\n(.*?)\n?```", re.DOTALL)
_EMPHASIS = re.compile(r"(\*\*|`|\"|')(?P<inside>.+)\1")
_QUOTES = {'"': '"', "“": "”", "„": "“", "«": "»", "「": "」"}
_LEAD_IN = re.compile(
    r"(?:(?:sure|certainly|of course|okay)\b[^\n]{0,200}"
    r"|here(?:'s|’s| is)\b(?: \S+){0,4} (?:question|problem|task|exercise)\b[^\n]{0,160}):[ \t]*\n",
    re.IGNORECASE,
)
_QUESTION_LABEL = re.compile(r"[*_#\s]*\b(?:(?:exam|quiz|homework|sample) )?(?:question(?: \d+)?|q)[*_]*\s*[:：][*_]*\s*", re.IGNORECASE)
_ANSWER_LABEL = re.compile(
    r"[*_# \t]*\b(?:(?:model|sample|correct|expected) )?(?:answer|solution)[*_]*[ \t]*[:：][*_]*[ \t]*", re.IGNORECASE
)
_REQUEST = re.compile(
    r"(?:please |briefly )?(?:analy[sz]e|argue|assess|calculate|classify|compare|compute|construct|convert|create|define|"
    r"demonstrate|derive|describe|design|determine|develop|discuss|estimate|evaluate|examine|explain|explore|find|give|identify|illustrate|implement|interpret|"
    r"justify|list|name|outline|plan|predict|propose|prove|rank|rewrite|show|simplify|sketch|solve|state|suggest|summari[sz]e|translate|"
    r"use|write)\b",
    re.IGNORECASE,
)
_LEANING = re.compile(
    r"\b(?:this|that|the|a) (?:course|class|lesson|session|syllabus|text|sentence|passage|article|list|question|quiz|exam)s?\b"
    r"|\b(?:following|above|previous|session|exam)\b|\bkey concepts?\b|\bcorrect answer\b|\bof (?:these|those)\b",
    re.IGNORECASE,
)
_CUT_OFF = re.compile(r" (?:of|the|a|an|and|or|but|than|with|that|which|from|into|by|its)$|[a-z] ?[-–(/&]$")


def parse_prose(text: str) -> str:
    """The free text of a first turn, cleaned; `text` is that text or, as the bundled model writes it, `{"text": text}`.

    Rejects what is too short to extract anything from.
    """
    found = clean(_unwrapped(text, "text"))
    if len(found) < LEAST_PROSE or not _has_letter(found):
        raise Rejected("empty", f"{len(found)} characters: {found[:200]!r}")
    return found


def parse_subjects(text: str, discipline: str, least: int, most: int) -> list[SubjectFound]:
    """Name, level and subtopics of each subject, in order, at most `most`.

    Dropped: names without a letter, names said before, the discipline's own name; subtopics that are empty, cut off, said before or the
    subject's own name; subjects left without a subtopic. Rejects a reply with fewer than two subjects, or than one when `least` is 1.
    """
    found: list[SubjectFound] = []
    seen = {_key(discipline)}
    for item in _entries(_object(text), "subjects"):
        name = _name(item.get("subject_name"))
        subtopics = _names(item.get("subtopics"), {_key(name), _key(discipline)})
        if _has_letter(name) and _key(name) not in seen and subtopics:
            seen.add(_key(name))
            found.append((name, level_of(item.get("level")), subtopics))
    _enough(len(found), least, f"subjects of {discipline}")
    return found[:most]


def parse_syllabus(text: str, subject: str, least: int, most: int) -> tuple[str, list[SessionFound]]:
    """Introduction ("" when there is none) and title, description and key concepts of each session, in order, at most `most`.

    Dropped: concepts that are empty, cut off or said before in the session; sessions without a concept, with a title said before, or with
    the very concepts of an earlier one. Rejects a reply with fewer than two sessions (two are sampled together), or than one when `least`
    is 1. `subject` names the syllabus in the rejection.
    """
    reply = _object(text)
    found: list[SessionFound] = []
    titles: set[str] = set()
    lessons: set[frozenset[str]] = set()
    for item in _entries(reply, "sessions"):
        title, concepts = _name(item.get("title")), _names(item.get("key_concepts"), set())
        lesson = frozenset(map(_key, concepts))
        if _has_letter(title) and concepts and _key(title) not in titles and lesson not in lessons:
            titles.add(_key(title))
            lessons.add(lesson)
            found.append((title, _line(item.get("description")), concepts))
    _enough(len(found), least, f"sessions of {subject}")
    return _line(reply.get("introduction")), found[:most]


def parse_question(text: str, concepts: Sequence[str] = ()) -> str:
    """The question alone: labels, lead-ins, quotes and fences around it gone. Cleaning twice is cleaning once.

    `text` is the question itself or, as the bundled model writes it, `{"question": text}`. Rejects what is empty or brings an answer along.
    With `concepts`, as a weak model needs it, the text must also begin by asking, name one of them and lean on nothing it does not hold;
    without, that is left to be measured, since a good question may describe a concept without its name.
    """
    found = clean(_unwrapped(text, "question"))
    while (peeled := _peel(found)) != found:
        found = peeled
    if not _has_letter(found):
        raise Rejected("empty", found[:200])
    for line in found.split("\n"):
        if _ANSWER_LABEL.match(line):
            raise Rejected("has_answer", line[:200])
    return _pointed(found, concepts) if concepts else found


def parse_answer(text: str, question: str) -> str:
    """The answer, cleaned; an "Answer:" before it is dropped unless the question speaks of that label.

    Rejects what is empty, ends where something should follow, or says the question again.
    """
    found = clean(text)
    if not _ANSWER_LABEL.search(question):
        while label := _ANSWER_LABEL.match(found):
            found = found[label.end() :].strip()
    if not any(map(str.isalnum, found)) or found.endswith((":", "：")):
        raise Rejected("empty", found[-200:])
    if _key(found) == _key(question):
        raise Rejected("echo", found[:200])
    return found


def clean(text: str) -> str:
    """Text as it may be stored: no control or half characters, no blanks at line ends, at most one empty line together."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(c for c in plain if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
    lines = "\n".join(line.rstrip() for line in kept.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip()


def asks(text: str) -> bool:
    """Whether a text begins by asking: its first sentence ends in a question mark, or it opens as an English request."""
    end = re.search(r"[.!?？؟。]", text)
    return bool(_REQUEST.match(text)) or (end is not None and end[0] in "?？؟")


def names_one_of(text: str, concepts: Sequence[str]) -> bool:
    """Whether a text has a word of at least one concept, in any form; words under four letters tell only where there are no others."""
    said = {word.casefold() for word in _WORD.findall(text)}
    return any(_akin(one, other) for concept in concepts for other in _telling(concept) for one in said)


def level_of(value: Any) -> str:
    """`beginner`, `intermediate` or `advanced`: the first of them that a model's words speak of; `intermediate` when they speak of none."""
    said = value.casefold() if isinstance(value, str) else ""
    stems = {
        "beginn": 0,
        "basic": 0,
        "intro": 0,
        "element": 0,
        "found": 0,
        "fundam": 0,
        "intermed": 1,
        "medium": 1,
        "advanc": 2,
        "expert": 2,
    }
    places = sorted((said.find(stem), rank) for stem, rank in stems.items() if stem in said)
    return ("beginner", "intermediate", "advanced")[places[0][1] if places else 1]


def _pointed(text: str, concepts: Sequence[str]) -> str:
    if not asks(text):
        raise Rejected("not_a_question", text[:200])
    if leaning := _LEANING.search(text):
        raise Rejected("not_self_contained", f"{leaning[0]!r} in {text[:200]!r}")
    words = Counter(word for word in map(str.casefold, _WORD.findall(text)) if len(word) > 3)
    if words and max(words.values()) > MOST_TIMES:
        raise Rejected("loop", text[:200])
    if not names_one_of(text, concepts):
        raise Rejected("off_topic", text[:200])
    return text


def _telling(concept: str) -> set[str]:
    words = {word.casefold() for word in _WORD.findall(concept)}
    return {word for word in words if len(word) > 3} or words


def _akin(one: str, other: str) -> bool:
    """Equal, or alike in their first four letters and in six tenths of the longer: `water` and `watering`."""
    shared = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one == other or (shared >= 4 and shared * 10 >= 6 * max(len(one), len(other)))


def _peel(text: str) -> str:
    """One wrapping less: a fence, a lead-in line, a label, a pair of quotes, an empty answer line."""
    if fence := _WHOLE_FENCE.fullmatch(text):
        return clean(fence[1])
    for opening in (_LEAD_IN, _QUESTION_LABEL):
        if label := opening.match(text):
            return text[label.end() :].strip()
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1] and not any(mark in text[1:-1] for mark in (text[0], text[-1])):
        return text[1:-1].strip()
    head, _, tail = text.rpartition("\n")
    return head.strip() if head and _ANSWER_LABEL.fullmatch(tail) else text


def _enough(found: int, least: int, what: str) -> None:
    needed = max(1, min(2, least))
    if found < needed:
        raise Rejected("too_few", f"{found} usable {what}, {needed} needed")


def _object(text: str) -> dict[str, Any]:
    try:
        found = json_of(text)
    except RecursionError:
        raise Rejected("not_json", "brackets within brackets without end") from None
    if not isinstance(found, dict):
        raise Rejected("not_json", f"no JSON object in {text[:200]!r}")
    return found


def _entries(reply: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = reply.get(name)
    if not isinstance(found, list):
        raise Rejected("schema", f"no list {name!r} in {str(reply)[:200]!r}")
    return [item for item in found if isinstance(item, dict)]


def _unwrapped(text: str, key: str) -> str:
    """What stands in `{key: ...}`, or the text as it is. Only a JSON object of that one key counts: a text may hold JSON of its own."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        found = _object(text)
    except Rejected:
        return text
    inner = found.get(key)
    return inner if len(found) == 1 and isinstance(inner, str) else text


def _line(value: Any) -> str:
    """A string on one line; "" for anything else."""
    return " ".join(clean(value).split()) if isinstance(value, str) else ""


def _name(value: Any) -> str:
    """A line without the emphasis or quotes around it and the punctuation after it; `C#` and `__init__` keep their signs."""
    found = _line(value).rstrip(":;, ")
    wrapped = _EMPHASIS.fullmatch(found)
    return wrapped["inside"].strip() if wrapped else found


def _names(value: Any, seen: set[str]) -> list[str]:
    """The different names of a list in their order; those in `seen`, empty or cut off left out."""
    found: dict[str, str] = {}
    for name in map(_name, value if isinstance(value, list) else ()):
        if name and _key(name) not in seen and not _CUT_OFF.search(name):
            found.setdefault(_key(name), name)
    return list(found.values())


def _key(text: str) -> str:
    return " ".join(text.casefold().split())


def _has_letter(text: str) -> bool:
    return any(map(str.isalpha, text))
