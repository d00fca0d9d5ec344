"""What a reasoning model says to itself before it answers, where its server leaves that in the text. Pure."""

from __future__ import annotations

import re

OPENED = re.compile(r"\s*<think(?:ing)?>")
CLOSED = re.compile(r"</think(?:ing)?>\s*")
CLOSED_ALONE = re.compile(r"^</think(?:ing)?>\s*(?:\n\s*|\Z)", re.MULTILINE)


def without_thought(text: str) -> tuple[str, bool]:
    """`text` from the end of the thought it begins with, and whether it begins with one.

    A thought that is never closed was cut off: then nothing is left. One that is never opened, since the prompt's template opened it, ends
    at the first closing tag on a line of its own; an answer that only speaks of such tags is left as it is.
    """
    if OPENED.match(text):
        closed = CLOSED.search(text)
        return text[closed.end() :] if closed else "", True
    closed = CLOSED_ALONE.search(text) if "</think" in text else None
    return (text[closed.end() :], True) if closed else (text, False)
