"""The packaged SQL files, one query a file, and text made safe to stand in SQL."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from pathlib import Path


@cache
def query(name: str) -> str:
    """The text of gland_assets/sql/<name>.sql, without its last newline."""
    return files("gland_assets").joinpath("sql", *f"{name}.sql".split("/")).read_text(encoding="utf-8").rstrip().removesuffix(";")


@cache
def useful_questions() -> dict[str, str]:
    """Title -> query of the packaged questions to ask of the tables, in order. A title is the file's name in words."""
    folder = files("gland_assets").joinpath("sql", "questions")
    names = sorted(entry.name.removesuffix(".sql") for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return {_title(name): query(f"questions/{name}") for name in names}


def _title(name: str) -> str:
    return re.sub(r"^\d+_", "", name).replace("_", " ")


def literal(text: str) -> str:
    """`text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def files_list(*patterns: str) -> str:
    """A list of file patterns as an SQL list of strings."""
    return "[" + ", ".join(map(literal, patterns)) + "]"


def as_pattern(path: Path) -> str:
    """An absolute path as DuckDB takes it where a pattern may stand: `*`, `?` and `[` in a folder's name mean themselves."""
    return re.sub(r"([*?\[])", r"[\1]", str(path.absolute()))
