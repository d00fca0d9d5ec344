"""What a reasoning model says to itself before it answers, where its server leaves that in the text. Pure."""

from __future__ import annotations

import re

OPENED = re.compile(r"\s*<(think|thinking)>")
CLOSED = re.compile(r"\s*(?:<(?:think|thinking)>)?.*?</(?:think|thinking)>\s*", re.DOTALL)


def without_thought(text: str) -> tuple[str, bool]:
    """`text` from the end of the thought it begins with, and whether it begins with one.

    A thought that is never closed was cut off: then nothing is left. One that is never opened, since the prompt's template opened it, ends
    at the first closing tag; text without that tag is all answer.
    """
    opened = OPENED.match(text)
    closed = CLOSED.match(text) if "</think" in text else None
    if opened and closed is None:
        return "", True
    return (text[closed.end() :], True) if closed else (text, False)
