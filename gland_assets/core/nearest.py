"""The way out of a misspelling, for every message that meets an unknown word."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

SHOWN = 12  # words listed when none is near


def nearest(word: str, known: Iterable[str], many: str = "known") -> str:
    """The nearest known word as a question, or, if none is near, the first known ones after the word `many`."""
    choices = sorted(known)
    if close := get_close_matches(word, choices, 1):
        return f"did you mean {close[0]!r}?"
    shown = ", ".join(choices[:SHOWN]) + (", …" if len(choices) > SHOWN else "")
    return f"{many}: {shown or 'none'}"
