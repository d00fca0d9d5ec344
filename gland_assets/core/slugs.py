"""Slugs: the identity of fields, subfields and disciplines, given or derived from a name."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 80


def derive_slug(name: str) -> str:
    """`name` in lower case ASCII, everything else as single hyphens, at most 80 characters; empty if no letter or digit is left."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST].rstrip("-")
