"""Prompt files: which slots each may and must use, and filling them in. The texts are prose and stand in gland_assets/prompts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache

from gland_assets.core.errors import Fault, SettingsError
from gland_assets.core.hashing import digest
from gland_assets.core.nearest import nearest

_SLOT = re.compile(r"\{([a-z_]+)\}")
_QUESTIONS = frozenset({"discipline", "subject", "level", "syllabus", "sessions", "concepts", "language"})

SLOTS: Mapping[str, frozenset[str]] = {
    "subjects.ask.txt": frozenset({"discipline", "least", "most", "language"}),
    "subjects.extract.txt": frozenset({"discipline", "least", "most"}),
    "syllabi.ask.txt": frozenset({"discipline", "subject", "level", "subtopics", "least", "most", "language"}),
    "syllabi.extract.txt": frozenset({"discipline", "subject", "least", "most"}),
    "questions.one_session.txt": _QUESTIONS,
    "questions.two_sessions.txt": _QUESTIONS,
    "answers.txt": frozenset({"question", "language", "discipline"}),
}
"""Prompt file -> the slots it may use."""

REQUIRED: Mapping[str, frozenset[str]] = {
    "subjects.ask.txt": frozenset({"discipline"}),
    "subjects.extract.txt": frozenset(),
    "syllabi.ask.txt": frozenset({"discipline", "subject"}),
    "syllabi.extract.txt": frozenset(),
    "questions.one_session.txt": frozenset({"syllabus", "sessions", "concepts"}),
    "questions.two_sessions.txt": frozenset({"syllabus", "sessions", "concepts"}),
    "answers.txt": frozenset({"question"}),
}
"""Prompt file -> the slots without which what it makes would not follow from what lies above."""

LANGUAGES = {
    "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek",
    "en": "English", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish", "fr": "French",
    "ga": "Irish", "gl": "Galician", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "hy": "Armenian",
    "id": "Indonesian", "is": "Icelandic", "it": "Italian", "ja": "Japanese", "ka": "Georgian", "ko": "Korean", "lt": "Lithuanian",
    "lv": "Latvian", "ms": "Malay", "nb": "Norwegian", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese",
    "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "sq": "Albanian", "sr": "Serbian", "sv": "Swedish",
    "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai", "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu",
    "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
"""English names of ISO 639-1 codes; a language that is not here is shown to the model by its code."""


@cache
def prompt_hash(text: str) -> str:
    """Content address of a prompt's text, before its slots are filled: 32 hex digits."""
    return digest("prompt", text)


def slots_in(text: str) -> Iterator[tuple[str, int]]:
    """Every slot of a prompt, as it comes, with its line from 1."""
    for match in _SLOT.finditer(text):
        yield match[1], text.count("\n", 0, match.start()) + 1


def check_prompt(name: str, text: str, file: str) -> list[Fault]:
    """What is wrong with the slots of `text`, meant for the prompt file `name` and read from `file`."""
    node, allowed = f"prompt {name!r}", SLOTS[name]
    found = list(slots_in(text))
    faults = [
        Fault(file, line, node, f"unknown slot {{{slot}}}", nearest(slot, allowed, "slots of this prompt"))
        for slot, line in found
        if slot not in allowed
    ]
    for slot in sorted(REQUIRED[name] - {slot for slot, _ in found}):
        faults.append(Fault(file, 0, node, f"slot {{{slot}}} is missing", f"write {{{slot}}} where the model is to read it"))
    return faults


def render(name: str, text: str, /, **values: str) -> str:
    """`text` of the prompt file `name` with each slot replaced by its value; a value is never looked into again.

    Values the text has no slot for are left out. `language` is an ISO 639-1 code and is shown by its English name.
    Raises SettingsError for a slot that the file may not use or that `values` leaves unfilled.
    """
    allowed = SLOTS[name]

    def fill(match: re.Match[str]) -> str:
        slot = match[1]
        if slot not in allowed or slot not in values:
            line = text.count("\n", 0, match.start()) + 1
            what = f"slot {{{slot}}} is {'unfilled' if slot in allowed else 'unknown'}"
            fix = nearest(slot, allowed & values.keys(), "slots that are filled here")
            raise SettingsError([Fault(name, line, f"prompt {name!r}", what, fix)])
        return LANGUAGES.get(values[slot], values[slot]) if slot == "language" else values[slot]

    return _SLOT.sub(fill, text)
