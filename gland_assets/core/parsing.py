"""From a model's reply to the value it holds, or to the reason why it must not be used. Pure; raises nothing but Rejected."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from gland_assets.core.requests import Rejected

CAUSES = {
    "malformed_json": "the reply is not the JSON that was asked for",
    "too_few": "too little of the reply is usable",
    "empty": "the reply holds no word, or stops before it has begun",
    "degenerate": "the reply goes round in circles",
    "refusal": "the model declined, or spoke of itself instead",
    "has_answer": "the question brings its own answer along",
    "not_a_question": "the text asks for nothing",
    "off_topic": "the question names none of the concepts it was asked for",
    "echo": "the answer only repeats the question",
}
"""Why a reply is rejected: cause -> meaning."""

SubjectFound = tuple[str, str, list[str]]  # name, level, subtopics
SessionFound = tuple[str, str, list[str]]  # title, description, key concepts

LEAST_PROSE = 80  # characters of a free-text reply below which there is nothing to extract
LOOP_WINDOW = 60  # words looked at together for circles
LOOP_SHARE = 0.45  # least share of different word triples in a window of sound text; measured sound text lies above 0.7

_FENCE = re.compile(r"```[A-Za-z]*[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)
_WHOLE_FENCE = re.compile(r"```(?:text|markdown|md)?[ \t]*\n(.*?)\n?```", re.DOTALL)
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\d_]{2,}")  # scripts without blanks: a character is a word
_WRAPPED = re.compile(r"(\*\*|`|\"|')(?P<inside>.+)\1")
_QUOTES = {'"': '"', "“": "”", "„": "“", "«": "»", "「": "」"}
_LEAD_IN = re.compile(
    r"(?:(?:sure|certainly|of course|okay)\b[^\n]{0,200}|here(?:'s|’s| is)\b(?: \S+){0,4} (?:question|problem|task|exercise)\b[^\n]{0,160}):\s*\n",
    re.IGNORECASE,
)
_QUESTION_LABEL = re.compile(r"[*_#\s]*\b(?:[a-z]+ )?question(?: \d+)?[*_]*\s*[:：][*_]*\s*", re.IGNORECASE)
_ANSWER_LABEL = re.compile(r"[*_# \t]*\b(?:(?:model|sample|correct|expected) )?(?:answer|solution)[*_]*[ \t]*[:：][*_]*", re.IGNORECASE)
_REFUSAL = re.compile(
    r"\W*(?:i['’]m|i am) (?:sorry|unable|not able)\b[^.\n]{0,60}\b(?:can['’]?t|cannot|unable|to)\b|\W*i (?:can['’]?t|cannot) (?:help|assist|fulfil)"
    r"|\W*(?:as an|i['’]m an|i am an) (?:ai|artificial|language model)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"(?:^|[.!:;,\n]\s*)\W*(?:please |then |now |briefly )?(?:analy[sz]e|argue|assess|calculate|classify|compare|compute|consider|construct|convert|"
    r"create|define|demonstrate|derive|describe|design|determine|develop|discuss|estimate|evaluate|examine|explain|explore|find|give|how|"
    r"identify|illustrate|implement|interpret|justify|list|name|outline|plan|predict|propose|prove|rank|rewrite|show|simplify|sketch|solve|"
    r"state|suggest|summari[sz]e|tell|translate|use|what|which|why|write)\b",
    re.IGNORECASE,
)  # fmt: skip
_DANGLING = re.compile(r" (?:of|the|a|an|and|or|with|that|which|from|by)$")


def parse_prose(text: str) -> str:
    """The free text of a first turn, cleaned. Rejects what is empty, a refusal, in circles, or too short to extract anything from."""
    found = _sound(clean(text))
    if len(found) < LEAST_PROSE:
        raise Rejected("empty", f"{len(found)} characters: {found!r}")
    return found


def parse_subjects(text: str, discipline: str, least: int, most: int) -> list[SubjectFound]:
    """Name, level and subtopics of each subject, in order, at most `most`.

    Dropped: names without a letter, names said before, the discipline's own name; subtopics that are empty, said before or the subject's
    own name; subjects left without a subtopic. Rejects a reply with fewer than two subjects, or than one when `least` is 1.
    """
    found: list[SubjectFound] = []
    seen = {_key(discipline)}
    for item in _entries(text, "subjects"):
        name = _name(item.get("subject_name"))
        if _key(name) in seen or not _has_letter(name):
            continue
        subtopics = _names(item.get("subtopics"), {_key(name)})
        if subtopics:
            seen.add(_key(name))
            found.append((name, level_of(item.get("level")), subtopics))
    _enough(found, least, "subjects")
    return found[:most]


def parse_syllabus(text: str, subject: str, least: int, most: int) -> tuple[str, list[SessionFound]]:
    """Introduction ("" when there is none) and title, description and key concepts of each session, in order, at most `most`.

    Dropped: empty or cut-off concepts, concepts said before in the session, sessions without a concept, with a title said before, or with
    the very concepts of an earlier one. Rejects a reply with fewer than two sessions (two are sampled together), or than one when `least`
    is 1. `subject` names the syllabus in the rejection.
    """
    found: list[SessionFound] = []
    titles: set[str] = set()
    taught: set[frozenset[str]] = set()
    for item in _entries(text, "sessions"):
        title, concepts = _name(item.get("title")), _names(item.get("key_concepts"), set())
        lesson = frozenset(map(_key, concepts))
        if not _has_letter(title) or not concepts or _key(title) in titles or lesson in taught:
            continue
        titles.add(_key(title))
        taught.add(lesson)
        found.append((title, _line(item.get("description")), concepts))
    _enough(found, least, f"sessions of {subject}")
    return _line(_object(text).get("introduction")), found[:most]


def parse_question(text: str, concepts: Sequence[str] = ()) -> str:
    """The question alone: labels, lead-ins, quotes and fences around it gone. Cleaning twice is cleaning once.

    Rejects what is empty, a refusal, in circles, or brings an answer along. With `concepts`, as a weak model needs it, the text must also ask
    for something and name one of them; without, that is left to be measured, since a good question may describe a concept without its name.
    """
    found = clean(text)
    while (peeled := _peel(found)) != found:
        found = peeled
    found = _sound(found)
    for line in found.split("\n"):
        if _ANSWER_LABEL.match(line):
            raise Rejected("has_answer", line[:200])
    if concepts and not asks(found):
        raise Rejected("not_a_question", found[:200])
    if concepts and not names_one_of(found, concepts):
        raise Rejected("off_topic", found[:200])
    return found


def parse_answer(text: str, question: str) -> str:
    """The answer, cleaned; an "Answer:" before it is dropped unless the question speaks of that label.

    Rejects what is empty, a refusal, in circles, ends where something should follow, or says the question again.
    """
    found = clean(text)
    if not _ANSWER_LABEL.search(question):
        while (label := _ANSWER_LABEL.match(found)) and label.end():
            found = found[label.end() :].strip()
    if not any(map(str.isalnum, found)) or found.endswith((":", "：")):
        raise Rejected("empty", found[-200:])
    if _key(found) == _key(question):
        raise Rejected("echo", found[:200])
    return _not_refused(_not_looping(found))


def clean(text: str) -> str:
    """Text as it may be stored: no control or half characters, no blanks at line ends, at most one empty line together."""
    kept = "".join(c for c in text.replace("\r\n", "\n").replace("\r", "\n") if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
    lines = "\n".join(line.rstrip() for line in kept.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip()


def asks(text: str) -> bool:
    """Whether a text has a question mark, or a sentence that begins as an English request."""
    return any(mark in text for mark in "?？؟") or bool(_ASKS.search(text))


def names_one_of(text: str, concepts: Sequence[str]) -> bool:
    """Whether a text has a word of at least one concept; words of four letters and more count by their first two thirds, so plurals do."""
    words = [word.casefold() for word in _WORD.findall(text)]
    wanted = {word.casefold() for concept in concepts for word in _WORD.findall(concept)}
    stems = {word if len(word) < 4 else word[: max(4, (2 * len(word) + 2) // 3)] for word in wanted if len(word) > 3 or len(wanted) < 3}
    return any(word.startswith(stem) if len(stem) > 3 else word == stem for word in words for stem in stems)


def looping(text: str) -> bool:
    """Whether some stretch of `LOOP_WINDOW` words says the same triples of words over and over."""
    words = [word.casefold() for word in _WORD.findall(text)]
    triples = list(zip(words, words[1:], words[2:], strict=False))
    windows = [triples[at : at + LOOP_WINDOW] for at in range(0, max(1, len(triples) - LOOP_WINDOW + 1), LOOP_WINDOW // 2)]
    windows.append(triples[-LOOP_WINDOW:])
    return any(len(window) >= 12 and len(set(window)) < LOOP_SHARE * len(window) for window in windows)


def level_of(value: Any) -> str:
    """`beginner`, `intermediate` or `advanced`: the first of them that a model's words speak of; `intermediate` when they speak of none."""
    said = str(value).casefold() if isinstance(value, str) else ""
    stems = {"beginn": 0, "basic": 0, "intro": 0, "element": 0, "found": 0, "fundam": 0, "intermed": 1, "medium": 1, "advanc": 2, "expert": 2}
    places = sorted((said.find(stem), rank) for stem, rank in stems.items() if stem in said)
    return ("beginner", "intermediate", "advanced")[places[0][1] if places else 1]


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
    if head and _ANSWER_LABEL.fullmatch(tail):
        return head.strip()
    return text


def _sound(text: str) -> str:
    if not _has_letter(text):
        raise Rejected("empty", text[:200])
    return _not_refused(_not_looping(text))


def _not_looping(text: str) -> str:
    if looping(text):
        raise Rejected("degenerate", text[-200:])
    return text


def _not_refused(text: str) -> str:
    if _REFUSAL.match(text):
        raise Rejected("refusal", text[:200])
    return text


def _enough(found: list[SubjectFound] | list[SessionFound], least: int, what: str) -> None:
    needed = max(1, min(2, least))
    if len(found) < needed:
        raise Rejected("too_few", f"{len(found)} usable {what}, {needed} needed")


def _object(text: str) -> dict[str, Any]:
    """The JSON object of a reply: the whole reply, or the first fenced block that is one."""
    for candidate in (text, *(block[1] for block in _FENCE.finditer(text))):
        try:
            found = json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    raise Rejected("malformed_json", f"no JSON object in {text[:200]!r}")


def _entries(text: str, name: str) -> list[dict[str, Any]]:
    found = _object(text).get(name)
    if not isinstance(found, list):
        raise Rejected("malformed_json", f"no list {name!r} in {text[:200]!r}")
    return [item for item in found if isinstance(item, dict)]


def _line(value: Any) -> str:
    """A string on one line; "" for anything else."""
    return " ".join(clean(value).split()) if isinstance(value, str) else ""


def _name(value: Any) -> str:
    """A line without the emphasis or quotes around it and the punctuation after it; `C#` and `__init__` keep their signs."""
    found = _line(value).rstrip(":;, ")
    wrapped = _WRAPPED.fullmatch(found)
    return wrapped["inside"].strip() if wrapped else found


def _names(value: Any, seen: set[str]) -> list[str]:
    """The different names of a list, those in `seen` and those cut off left out."""
    found: dict[str, str] = {}
    for name in map(_name, value if isinstance(value, list) else ()):
        if name and _key(name) not in seen and not _DANGLING.search(name):
            found.setdefault(_key(name), name)
    return list(found.values())


def _key(text: str) -> str:
    return " ".join(text.casefold().split())


def _has_letter(text: str) -> bool:
    return any(map(str.isalpha, text))
