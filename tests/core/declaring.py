"""Taxonomy texts resolved without a disk: what `load_project` does, less the reading."""

from __future__ import annotations

from pathlib import Path

from gland_assets.core.errors import Fault, SettingsError
from gland_assets.core.project import Project, Settings
from gland_assets.core.settings import build_project
from gland_assets.core.source import read_source
from gland_assets.core.taxonomy import FieldsFile, TaxonomyFile
from tests.projects import PROMPTS

HOME = Path("/projects/crafts")
TREE = '[[field]]\nname = "Crafts"\n[[field.subfield]]\nname = "Baking"\ndisciplines = ["Sourdough"]\n'


def resolve(text: str, **included: str) -> Project:
    """The project that `text` declares, with each of `included` as a file of that name; raises SettingsError as loading does."""
    root = read_source("taxonomy.toml", text, TaxonomyFile)
    others = [read_source(f"{name}.toml", other, FieldsFile) for name, other in included.items()]
    return build_project(HOME / "taxonomy.toml", root, others, PROMPTS, lambda declared: HOME / declared)


def faults_of(text: str, **included: str) -> tuple[Fault, ...]:
    """Every fault of `text`; none if it is sound."""
    try:
        resolve(text, **included)
    except SettingsError as error:
        return error.faults
    return ()


def settings_of(text: str) -> Settings:
    """What is in force at the first discipline of `text`."""
    return next(resolve(text).disciplines()).settings
