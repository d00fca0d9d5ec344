"""Whether a reply is written in the alphabet of its language. Pure. Scripts are told by the names that Unicode gives their letters."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache

from gland_assets.core.prompts import LANGUAGES

LEAST = 30  # letters: fewer are a name, a symbol or a short answer, and tell nothing

_BY_SCRIPT: Mapping[str, str] = {
    "LATIN": "aa af ak an az bm br bs ca co cs cy da de ee en eo es et eu ff fi fo fr fy ga gd gl gn gv ha hr ht hu id ig io is it jv kg ki"
    " kl kr ku kw la lb lg li ln lt lu lv mg mi ms mt nb nd nl nn no nr ny oc om pl pt qu rm rn ro rw sc se sg sk sl sm sn so sq sr ss st"
    " su sv sw tk tl tn to tr ts tw ty uz ve vi vo wa wo xh yo za zu",
    "CYRILLIC": "ab av az ba be bg bs ce cv kk kv ky mk mn os ru sr tg tk tt uk uz",
    "GREEK": "el",
    "ARABIC": "ar az fa ha kk ks ku ky ms pa ps sd ug ur uz",
    "HEBREW": "he yi",
    "ARMENIAN": "hy",
    "GEORGIAN": "ka ab os",
    "DEVANAGARI": "hi ks mr ne sa sd",
    "BENGALI": "as bn",
    "GURMUKHI": "pa",
    "GUJARATI": "gu",
    "ORIYA": "or",
    "TAMIL": "ta",
    "TELUGU": "te",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "SINHALA": "si",
    "THAANA": "dv",
    "THAI": "th",
    "LAO": "lo",
    "MYANMAR": "my",
    "KHMER": "km",
    "TIBETAN": "bo dz",
    "ETHIOPIC": "am ti",
    "MONGOLIAN": "mn",
    "YI": "ii",
    "CANADIAN": "cr iu oj",
    "CJK": "ja zh",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "HANGUL": "ko",
}
SCRIPTS: Mapping[str, frozenset[str]] = {
    code: frozenset(script for script, codes in _BY_SCRIPT.items() if code in codes.split())
    for code in sorted({code for codes in _BY_SCRIPT.values() for code in codes.split()})
}
"""ISO 639-1 code -> the scripts that the language is written in today, each as the first word of its letters' Unicode names."""

_KNOWN = frozenset(_BY_SCRIPT)
_SPELLED = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]+`"  # code
    r"|\$\$.*?\$\$|\$[^$\n]+\$|\\\(.*?\\\)|\\\[.*?\\\]|\\[A-Za-z]+"  # formulas
    r"|https?://\S+",
    re.DOTALL,
)
_LIKE_CODE = re.compile(r"[=;{}<>\\|]|\w[(_]\w?|^\s*(?:def|class|import|from|return|else|for|while|if|print|#include)\b")


def foreign(text: str, language: str, prompts: Iterable[str], limit: float) -> str | None:
    """What was seen, when less than `limit` of the letters of `text` are of a script of `language`, code and formulas aside.

    Scripts of languages that the prompts call by their English names count as its own: a lesson in Japanese holds Japanese. None for a
    language whose script is not known, and for a text of few letters.
    """
    own = SCRIPTS.get(language.partition("-")[0].lower())
    if own is None or ("LATIN" in own and text.isascii()):
        return None
    seen = _scripts(text)
    if not _short_of(seen, own, limit):
        return None
    seen = _scripts("\n".join(line for line in _SPELLED.sub(" ", text).splitlines() if not _LIKE_CODE.search(line)))
    own = own.union(*(SCRIPTS[code] for code in _named(" ".join(prompts)) if code in SCRIPTS))
    if not _short_of(seen, own, limit):
        return None
    share = sum(seen[script] for script in own) / seen.total()
    most = seen.most_common(1)[0][0]
    return f"{share:.0%} of its letters are of the alphabet of {LANGUAGES.get(language, language)}; most are {most.title()}"


def _short_of(seen: Counter[str], own: frozenset[str], limit: float) -> bool:
    return seen.total() >= LEAST and sum(seen[script] for script in own) < limit * seen.total()


def _scripts(text: str) -> Counter[str]:
    """How many letters of each script there are; signs that mathematics has made of letters are of none."""
    found: Counter[str] = Counter()
    for letter, count in Counter(filter(str.isalpha, text)).items():
        if (script := _script(letter)) in _KNOWN:
            found[script] += count
    return found


@cache
def _script(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]


def _named(text: str) -> list[str]:
    """The languages that a text calls by their English names."""
    said = set(re.findall(r"[A-Z][a-z]+", text))
    return [code for code, name in LANGUAGES.items() if name in said]
