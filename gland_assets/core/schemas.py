"""The JSON schemas of the two extract turns, in the part of JSON schema that every provider's structured output takes."""

from __future__ import annotations

from typing import Any

LEVELS = ("beginner", "intermediate", "advanced")
CONCEPTS = 5  # key concepts asked for in a session, as in GLAN

# For the bundled model alone: grammar-bound letters, or it loses itself in blanks, digits and brackets.
_LETTER_NAME = "^[A-Z][a-z]( ?[A-Za-z'-]){2,36}$"
_LETTER_TERM = "^[A-Za-z]( ?[A-Za-z'-]){2,32}$"
_LETTER_SENTENCE = "^[A-Z][a-z]( ?[A-Za-z0-9,;'()-]){15,120}[.]$"
_LETTER_TERMS = 3  # terms a list: the most it can name before it repeats itself


def _text(meaning: str, pattern: str | None) -> dict[str, Any]:
    return {"type": "string", "description": meaning} | ({"pattern": pattern} if pattern else {})


def _list(items: dict[str, Any], meaning: str, bounds: tuple[int, int] | None) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "array", "description": meaning, "items": items}
    return found | ({"minItems": bounds[0], "maxItems": bounds[1]} if bounds else {})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def subjects_schema(least: int, most: int, strict_letters: bool = False) -> dict[str, Any]:
    """Schema of `{"subjects": [{"subject_name", "subtopics", "level"}]}` for a reply of `least` to `most` subjects.

    The counts stand in the descriptions, not as bounds: some providers refuse bounded arrays, and one subject too few is no reason to pay
    again. `strict_letters` binds counts, letters and lengths in the grammar, for the bundled model (English letters only).
    """
    bounds, terms = ((least, most), (_LETTER_TERMS, _LETTER_TERMS)) if strict_letters else (None, None)
    subject = _object(
        {
            "subject_name": _text("The subject's name, without a number.", _LETTER_NAME if strict_letters else None),
            "subtopics": _list(_text("One subtopic.", _LETTER_TERM if strict_letters else None), "What the subject covers.", terms),
            "level": {"type": "string", "enum": list(LEVELS)},
        }
    )
    return _object({"subjects": _list(subject, f"Every subject of the text, {least} to {most} of them.", bounds)})


def syllabus_schema(least: int, most: int, strict_letters: bool = False) -> dict[str, Any]:
    """Schema of `{"introduction", "sessions": [{"title", "key_concepts", "description"}]}` for `least` to `most` sessions.

    Counts and `strict_letters` as in `subjects_schema`.
    """
    bounds, terms = ((least, most), (_LETTER_TERMS, _LETTER_TERMS)) if strict_letters else (None, None)
    name, term, sentence = (_LETTER_NAME, _LETTER_TERM, _LETTER_SENTENCE) if strict_letters else (None, None, None)
    session = _object(
        {
            "title": _text("The session's title, without a number.", name),
            "key_concepts": _list(_text("One key concept: a term, not a sentence.", term), f"About {CONCEPTS} key concepts.", terms),
            "description": _text("What the session is about.", sentence),
        }
    )
    return _object(
        {
            "introduction": _text("The syllabus's introduction.", sentence),
            "sessions": _list(session, f"Every class session in its order, {least} to {most} of them.", bounds),
        }
    )
