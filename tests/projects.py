"""Small projects for tests of the pure floor, built without a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gland_assets.core.project import STAGES, Deployment, Discipline, Field, Project, Settings, StageSettings, Subfield

PROMPTS = {
    "subjects.ask.txt": "Name subjects of {discipline}, {least} to {most}.",
    "subjects.extract.txt": "As JSON.",
    "syllabi.ask.txt": "A syllabus of {subject} in {discipline}.",
    "syllabi.extract.txt": "As JSON.",
    "questions.one_session.txt": "From {syllabus} and {sessions} ask about {concepts}.",
    "questions.two_sessions.txt": "From {syllabus} and both {sessions} ask about {concepts}.",
    "answers.txt": "{question} Answer in {language}.",
}
STAGE = StageSettings(("main", "spare"), 1.0, 0.95, 500)
SETTINGS = Settings(4, 0, 1, (2, 3), (2, 3), dict.fromkeys(STAGES, STAGE))


def small_project(slugs: Mapping[str, tuple[str, str]] | None = None, **overrides: Any) -> Project:
    """A project of `slug -> (field, subfield)`; by default logic and algebra under formal, cooking under crafts."""
    placed = slugs or {"logic": ("formal", "reasoning"), "algebra": ("formal", "numbers"), "cooking": ("crafts", "kitchen")}
    fields: dict[str, dict[str, list[Discipline]]] = {}
    for position, (slug, (top, subfield)) in enumerate(placed.items()):
        discipline = Discipline(slug, slug.title(), subfield, top, position, SETTINGS)
        fields.setdefault(top, {}).setdefault(subfield, []).append(discipline)
    tree = tuple(
        Field(
            top,
            top.title(),
            i,
            None,
            tuple(Subfield(s, s.title(), top, j, None, tuple(found)) for j, (s, found) in enumerate(below.items())),
        )
        for i, (top, below) in enumerate(fields.items())
    )
    deployments = {"main": Deployment("main", "model-a"), "spare": Deployment("spare", "model-b")}
    return Project("test", "en", 0, Path("taxonomy.toml"), tree, deployments, PROMPTS, **overrides)


def with_settings(project: Project, slug: str, **changed: Any) -> Project:
    """The same project with settings of one discipline changed."""
    return _edit(project, slug, lambda d: replace(d, settings=replace(d.settings, **changed)))


def with_discipline(project: Project, slug: str, **changed: Any) -> Project:
    """The same project with one discipline's own attributes changed."""
    return _edit(project, slug, lambda d: replace(d, **changed))


def with_stage(project: Project, slug: str, stage: str, **changed: Any) -> Project:
    """The same project with one stage of one discipline changed."""
    stages = dict(project.discipline(slug).settings.stages)
    stages[stage] = replace(stages[stage], **changed)
    return with_settings(project, slug, stages=stages)


def _edit(project: Project, slug: str, edit: Any) -> Project:
    return replace(
        project,
        fields=tuple(
            replace(
                top,
                subfields=tuple(
                    replace(sub, disciplines=tuple(edit(d) if d.slug == slug else d for d in sub.disciplines)) for sub in top.subfields
                ),
            )
            for top in project.fields
        ),
    )
