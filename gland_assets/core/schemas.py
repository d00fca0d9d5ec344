"""The JSON schemas of replies that must be JSON, in the part of JSON schema that every provider's structured output takes."""

from __future__ import annotations

from typing import Any

LEVELS = ("beginner", "intermediate", "advanced")
CONCEPTS = 5  # key concepts a session, as in GLAN

# For the bundled model alone. A grammar that binds letters, counts, and the first words of a sentence keeps it to the matter:
# without, it loses itself in blanks, brackets and chatter, and its lists have no end.
_WORD = "(a|an|as|by|for|in|is|of|on|or|the|to|[A-Za-z][a-z-]{2,14})"
_NAME = f"^[A-Z][a-z]{{2,14}}( {_WORD}){{0,6}}$"
_TERM = f"^[A-Za-z][A-Za-z-]{{2,14}}( {_WORD}){{0,3}}$"
_PROSE = "^[A-Z0-9]( ?[A-Za-z0-9,.:;*'()-]){120,300}$"
_CLAUSE = "[A-Za-z]( ?[A-Za-z,-])"  # how many letters follows
_INTRODUCTION = f"^This (course|class) (is about|explains|teaches) {_CLAUSE}{{8,80}}[.]$"
_DESCRIPTION = f"^(Learn (how|why|what|about)|(Understand|Discover) (how|why|what)) {_CLAUSE}{{8,80}}[.]$"
_ASK = "(What (is|are|do|does|makes|happens)|Why (is|are|do|does)|How (is|are|do|does|can))"
_QUESTION = f"^({_ASK} {_CLAUSE}{{8,110}}[?]|(Explain|Describe|Compare) {_CLAUSE}{{12,110}}[.])$"
_TERMS = 3  # terms a list: more, and it repeats itself
_MOST = 6  # subjects or sessions a reply: more fit neither its context nor llama.cpp's limit on the size of a grammar


def _text(meaning: str, pattern: str | None) -> dict[str, Any]:
    return {"type": "string", "description": meaning} | ({"pattern": pattern} if pattern else {})


def _list(items: dict[str, Any], meaning: str, bounds: tuple[int, int] | None) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "array", "description": meaning, "items": items}
    return found | ({"minItems": bounds[0], "maxItems": bounds[1]} if bounds else {})


def _bounds(least: int, most: int, strict_letters: bool) -> tuple[int, int] | None:
    return (min(least, _MOST), min(most, _MOST)) if strict_letters else None


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def subjects_schema(least: int, most: int, strict_letters: bool = False) -> dict[str, Any]:
    """Schema of `{"subjects": [{"subject_name", "subtopics", "level"}]}` for a reply of `least` to `most` subjects.

    The counts stand in the descriptions, not as bounds: some providers refuse bounded arrays, and one subject too few is no reason to pay
    again. `strict_letters` is for the bundled model, which writes English only: it binds counts (six at most), letters and
    lengths in the grammar.
    """
    name, term = (_NAME, _TERM) if strict_letters else (None, None)
    subject = _object(
        {
            "subject_name": _text("The subject's name, without a number.", name),
            "subtopics": _list(_text("One subtopic.", term), "What the subject covers.", (_TERMS, _TERMS) if strict_letters else None),
            "level": {"type": "string", "enum": list(LEVELS)},
        }
    )
    # One more than wanted: the bundled model repeats itself, and what is too many is dropped in reading.
    entries = _list(subject, f"Every subject of the text, {least} to {most} of them.", _bounds(least + 1, most + 1, strict_letters))
    return _object({"subjects": entries})


def syllabus_schema(least: int, most: int, strict_letters: bool = False) -> dict[str, Any]:
    """Schema of `{"sessions": [{"title", "description", "key_concepts"}], "introduction"}` for `least` to `most` sessions.

    Counts and `strict_letters` as in `subjects_schema`. The introduction comes last: a weak model that begins with it strays from the text.
    """
    name, term, sentence, opening = (_NAME, _TERM, _DESCRIPTION, _INTRODUCTION) if strict_letters else (None, None, None, None)
    concepts = f"The key concepts it teaches, about {CONCEPTS}."
    session = _object(
        {
            "title": _text("The session's title, without a number.", name),
            "description": _text("What the session is about.", sentence),
            "key_concepts": _list(_text("A term, not a sentence.", term), concepts, (_TERMS, _TERMS) if strict_letters else None),
        }
    )
    sessions = _list(session, f"Every class session in its order, {least} to {most} of them.", _bounds(least, most, strict_letters))
    return _object({"sessions": sessions, "introduction": _text("The syllabus's introduction.", opening)})


def prose_schema() -> dict[str, Any]:
    """Schema of `{"text": prose}`, for the free-text turns of the bundled model alone: it ends the reply. Others reply with plain text."""
    return _object({"text": _text("Free text.", _PROSE)})


def question_schema() -> dict[str, Any]:
    """Schema of `{"question": text}`, for the bundled model alone: it asks at once, where it would chat. Others reply with plain text."""
    return _object({"question": _text("One question or task.", _QUESTION)})
