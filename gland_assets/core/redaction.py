"""Blanking secrets out of a text, however they are written in it. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import parse_qsl, urlsplit

BLANK = "[key]"
LEAST = 6  # characters: a shorter value is no key, and blanking it would tear texts apart
SECRET_NAME = re.compile(r"key|token|secret|password|authorization|credential", re.IGNORECASE)
USERINFO = re.compile(r"(://)([^/@\s]+)@")


def blanked(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret, and every user name and password in a URL, replaced by `[key]`.

    A secret is known as it is, and escaped or quoted as JSON, Python, HTML and URLs do it, several times over too, and in base64.
    """
    pattern = _pattern(frozenset(secret for secret in secrets if len(secret) >= LEAST))
    return USERINFO.sub(rf"\1{BLANK}@", text if pattern is None else pattern.sub(BLANK, text))


def secret_in_address(url: str) -> bool:
    """Whether a URL holds a user name, a password, or a parameter named like a key. Raises ValueError when it is none."""
    parts = urlsplit(url)
    return "@" in parts.netloc or any(SECRET_NAME.search(name) for name, _ in parse_qsl(parts.query))


@lru_cache(maxsize=8)
def _pattern(secrets: frozenset[str]) -> re.Pattern[str] | None:
    # The longest first: a secret may stand within another.
    written = [form for secret in sorted(secrets, key=lambda each: (-len(each), each)) for form in (_spelled(secret), *_encoded(secret))]
    return re.compile("|".join(written)) if written else None


def _spelled(secret: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else _letter(letter) for letter in secret)


def _letter(letter: str) -> str:
    plain = r"\\+" if letter == "\\" else rf"\\*{re.escape(letter)}" if letter != " " else r"[ +]"
    in_url = "".join(f"%(?:25)*{byte:02x}" for byte in letter.encode("utf-8", "surrogatepass"))
    in_json = re.escape(json.dumps(letter)[1:-1]).replace(r"\\", r"\\+")
    return rf"(?i:{plain}|{in_url}|{in_json}|\\+[ux]0*{ord(letter):x}|&(?:amp;)*#?\w+;)"


def _encoded(secret: str) -> Iterable[str]:
    plain = base64.b64encode(secret.encode()).decode().rstrip("=")
    return {re.escape(plain), re.escape(plain.translate(str.maketrans("+/", "-_")))}
