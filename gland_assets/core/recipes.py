"""What decides how a partition is made: the recipe, and the fingerprint it gives with what lies above."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from gland_assets.core.hashing import digest
from gland_assets.core.levels import RECIPE_VERSION
from gland_assets.core.project import DecontaminationSet, Discipline, Project
from gland_assets.core.prompts import prompt_hash
from gland_assets.core.records import Record, content_of

PROMPT_FILES = {
    "subjects": ("subjects.ask.txt", "subjects.extract.txt"),
    "syllabi": ("syllabi.ask.txt", "syllabi.extract.txt"),
    "questions": ("questions.one_session.txt", "questions.two_sessions.txt"),
    "answers": ("answers.txt",),
}
SHAPED_BY = {
    "subjects": ("seed", "subject_queries", "subjects"),
    "syllabi": ("seed", "sessions"),
    "questions": ("seed", "pairs"),
    "answers": (),
}
"""The settings, beside the model and its sampling parameters, that touch each stage."""
TAKE_IN = ("questions", "answers")
"""The levels that hold imported rows beside those that were asked for."""


def declared_rows(project: Project, slug: str) -> dict[str, dict[str, Any]]:
    """The nodes on a discipline's path as rows, by table."""
    top, subfield, discipline = project.path_of(slug)
    return {
        "fields": {"field": top.slug, "name": top.name, "position": top.position},
        "subfields": {"subfield": subfield.slug, "field": top.slug, "name": subfield.name, "position": subfield.position},
        "disciplines": {"discipline": slug, "subfield": subfield.slug, "name": discipline.name, "position": discipline.position},
    }


def recipe(project: Project, level: str, discipline: Discipline, imported: str | None = None) -> dict[str, Any]:
    """Everything that decides how `level` is made for `discipline`, upstream rows aside; plain JSON values.

    `imported`: content hash of the rows that were imported into the discipline, which its questions and answers take in.
    """
    base: dict[str, Any] = {"version": RECIPE_VERSION[level]}
    if level in PROMPT_FILES:
        given = {"imported": imported} if imported and level in TAKE_IN else {}
        return base | _stage_recipe(project, level, discipline) | given
    if level == "signatures":
        return base | {name: getattr(project.dedup, name) for name in ("ngram", "num_perm", "seed", "bands", "rows", "over")}
    if level == "contamination":
        return base | {"benchmarks": {declared.name: _looked_for(declared) for declared in project.decontaminate}}
    return base | {"node": _node(declared_rows(project, discipline.slug)[level])}


def _node(row: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a declared node this one. Its position does not: adding one at the top would touch all that follow."""
    return {name: value for name, value in row.items() if name != "position"}


def _looked_for(declared: DecontaminationSet) -> dict[str, Any]:
    """What decides which items a set has and when one counts as repeated; where its files stand does not."""
    rules = ", ".join(f"{rule.ngram}-grams over {rule.share}" for rule in declared.rules)
    return {"files": declared.content, "columns": ", ".join(declared.columns), "id": declared.id, "split": declared.split, "rules": rules}


def _stage_recipe(project: Project, stage: str, discipline: Discipline) -> dict[str, Any]:
    settings = discipline.settings
    asked = settings.stages[stage]
    texts = {name: project.prompts[name] for name in PROMPT_FILES[stage]}
    found: dict[str, Any] = {
        "model": project.preferred(discipline, stage).identity,
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "max_tokens": asked.max_tokens,
        "prompts": {name: prompt_hash(text) for name, text in texts.items()},
    }
    shown = "".join(texts.values())
    if "{language}" in shown:
        found["language"] = project.language
    if "{discipline}" in shown:
        found["discipline"] = discipline.name
    for name in SHAPED_BY[stage]:
        value = getattr(settings, name)
        found[name] = list(value) if isinstance(value, tuple) else value
    return found


def fingerprint(made_by: Mapping[str, Any], upstream: Mapping[str, str]) -> str:
    """What a partition would be made from: its recipe and the content hashes of the partitions above, by asset."""
    return digest("fingerprint", made_by, dict(upstream))


def version_of(made_by: str) -> str:
    """The recipe version in a recipe's canonical JSON."""
    return str(json.loads(made_by)["version"])


def content_hash(records: Iterable[Record]) -> str:
    """What a partition is: the hash of its rows' content, in order."""
    return digest("content", [content_of(record) for record in records])


def declared_content_hash(level: str, row: Mapping[str, Any]) -> str:
    """Content hash of a declared node. A discipline counts by slug and name alone: moving it changes nothing below it."""
    return digest("content", level, [row["discipline"], row["name"]] if level == "disciplines" else _node(row))


def changes(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What differs between two recipes, as `setting old → new`, in order of name."""
    said: list[str] = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            said += changes(before, after, {"prompts": "prompt ", "node": "", "benchmarks": "benchmark "}.get(name, f"{prefix}{name}."))
        elif name == "imported":
            said.append("imported rows changed")
        elif prefix == "prompt ":
            said.append(f"prompt {name} edited")
        elif prefix == "benchmark ":
            said.append(f"benchmark {name} {'added' if before is None else 'taken out'}")
        elif name == "files":
            said.append(f"{prefix}{name} {'changed' if before and after else 'are missing' if before else 'are there again'}")
        else:
            said.append(f"{prefix}{name} {_shown(before)} → {_shown(after)}")
    return said


def _shown(value: Any) -> str:
    return "unset" if value is None else "–".join(map(str, value)) if isinstance(value, list) else str(value)
