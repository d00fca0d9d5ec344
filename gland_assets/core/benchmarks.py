"""Benchmark sets known by name: how they are laid out where people keep them, and how a row of any set becomes its items. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TABULAR = r"\.(?:jsonl|ndjson|json|parquet|csv)(?:\.gz)?$"
TAR = r"\.(?:tar|tar\.gz|tgz)$"
_TEST = rf"\btest\b[^/]*{TABULAR}"


@dataclass(frozen=True, slots=True)
class Known:
    """How a set lies in a folder. Paths are below the folder of all sets, in lower case."""

    folders: tuple[str, ...]  # names of its own folder, letters and digits alone
    files: tuple[str, ...]  # patterns of its test split's files; the first that some file matches counts
    columns: tuple[tuple[str, ...], ...]  # the first of which a row has all
    ids: tuple[str, ...] = ()  # the first that a row has
    numbers: tuple[int, int] | None = None  # the ids of the test split, where one file holds all splits


def _arc(which: str) -> Known:
    files = tuple(rf"\barc-{which}\b.*\btest\b.*{end}" for end in (r"\.(?:jsonl|parquet)(?:\.gz)?$", TABULAR))
    return Known(("arc", "ai2arc", "arcv1feb20182", f"arc{which}"), files, (("question.stem",), ("question",)), ("id", "questionID"))


KNOWN: Mapping[str, Known] = {
    "gsm8k": Known(("gsm8k", "gradeschoolmath"), (r"\bmain/.*" + _TEST, r"^(?!.*socratic).*" + _TEST), (("question",),)),
    "math": Known(
        ("math", "hendrycksmath", "math500", "competitionmath"), (r"\btest/.*\.json$", _TEST), (("problem",), ("question",)), ("unique_id",)
    ),
    "humaneval": Known(("humaneval", "openaihumaneval"), (r"\bhumaneval[^/]*\.jsonl(?:\.gz)?$", _TEST), (("prompt",),), ("task_id",)),
    "mbpp": Known(
        ("mbpp",), (r"\bfull/.*" + _TEST, r"\bmbpp[^/]*" + TABULAR, _TEST), (("text",), ("prompt",)), ("task_id",), numbers=(11, 510)
    ),
    "bbh": Known(("bbh", "bigbenchhard"), (r"\b(?:tasks|bbh)/[^/]*\.json$", _TEST, TABULAR), (("examples[].input",), ("input",))),
    "arc_easy": _arc("easy"),
    "arc_challenge": _arc("challenge"),
    "mmlu": Known(("mmlu", "hendryckstest"), (r"\ball/.*" + _TEST, r"\btest/[^/]*-test\.csv$", _TEST, TAR), (("question",), ("0",))),
    "ifeval": Known(("ifeval", "instructionfollowingeval"), (r"input-data" + TABULAR, TABULAR), (("prompt",),), ("key",)),
    "mt_bench": Known(
        ("mtbench", "mtbenchprompts"), (r"\bquestions?\b[^/]*" + TABULAR, _TEST, TABULAR), (("turns[]",), ("prompt[]",)),
        ("question_id", "prompt_id"),
    ),
}  # fmt: skip
"""Name -> layout, of the authors' own files and of Hugging Face's."""


def files_of(known: Known, paths: Sequence[str]) -> list[str]:
    """Which of these paths, below the folder of all sets, are the files of a set, in order."""
    own = sorted(path for path in paths if any(_plain(part) in known.folders for part in path.split("/")[:-1]))
    for pattern in known.files:
        if found := [path for path in own if re.search(pattern, _parted(path))]:
            return found
    return []


def members_of(known: Known, members: Sequence[str]) -> list[str]:
    """Which members of an archive are the files of a set, in order."""
    for pattern in known.files:
        if pattern != TAR and (found := sorted(member for member in members if re.search(pattern, _parted(member)))):
            return found
    return []


def of_split(paths: Sequence[str], split: str | None) -> list[str]:
    """Which paths name a split, or all without one. `data/test-00000.parquet` and `test/a.csv` do: `test` is a word of its own in them."""
    return [path for path in paths if split is None or re.search(rf"\b{re.escape(_parted(split))}\b", _parted(path))]


def item_texts(row: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    """The texts of a row's items: one, or one for each part of the list that `[]` follows; of several columns their texts, one a line.

    A column is named by its path, as `question.stem` or `examples[].input`. Raises LookupError with the column that the row does not have.
    """
    if "[]" not in " ".join(columns):
        return ["\n".join([_text(row, column, column) for column in columns])]
    spread = next(column.split("[]")[0] for column in columns if "[]" in column)
    parts = _at(row, spread, f"{spread}[]")
    if not isinstance(parts, list):
        raise LookupError(f"{spread}[]")
    return ["\n".join(_part_text(row, part, column) for column in columns) for part in parts]


def _part_text(row: Mapping[str, Any], part: Any, column: str) -> str:
    _, spread, below = column.partition("[]")
    return _text(part, below.removeprefix("."), column) if spread else _text(row, column, column)


def _text(value: Any, path: str, column: str) -> str:
    """What stands at a path, as text: of a list its parts, one a line; of null nothing."""
    found = _at(value, path, column)
    if isinstance(found, str):
        return found
    if isinstance(found, list):
        return "\n".join(_text(part, "", column) for part in found)
    if isinstance(found, Mapping):
        raise LookupError(column)
    return "" if found is None else str(found)


def _at(value: Any, path: str, column: str) -> Any:
    try:
        for name in path.split(".") if path else ():
            value = value[name]
    except (KeyError, TypeError):
        raise LookupError(column) from None
    return value


def _parted(path: str) -> str:
    """A path with nothing in it that would hide the end of a word from a pattern."""
    return path.lower().replace("_", "-")


def _plain(folder: str) -> str:
    """A folder's name as `Known.folders` has it; of the ones that Hugging Face's cache makes, what stands last."""
    return re.sub(r"[^a-z0-9]", "", folder.lower().rsplit("--", 1)[-1])
