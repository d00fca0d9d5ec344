"""Which project a command is about: the taxonomy file and the warehouse, from options, the environment, or where one stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gland_assets.core.errors import GlandError
from gland_assets.core.nearest import nearest

if TYPE_CHECKING:
    from gland_assets.core.project import Project


@dataclass(frozen=True, slots=True)
class Places:
    """Absolute paths of the taxonomy file and the warehouse, whether or not they exist."""

    taxonomy: Path
    warehouse: Path

    def project(self) -> Project:
        """The project as it is declared now. Raises SettingsError with every fault."""
        from gland_assets.io.project import load_project

        return load_project(self.taxonomy)


def find_places(taxonomy: Path | None, warehouse: Path | None) -> Places:
    """The places meant by the two options; the warehouse stands beside the taxonomy file unless it is given."""
    source = (taxonomy or Path("taxonomy.toml")).expanduser().absolute()
    return Places(source, (warehouse.expanduser().absolute() if warehouse else source.parent / "warehouse"))


OnlyThese = Annotated[list[str] | None, typer.Option("-d", "--discipline", metavar="SLUG", help="Only this discipline; may be repeated.")]
"""The option of verbs that can be kept to some disciplines."""

RetryFailures = Annotated[bool, typer.Option("--retry-failures", help="Ask again too for failed rows whose replies were all rejected.")]
"""The option of verbs that plan and build."""


def places(context: typer.Context) -> Places:
    """The places of this command, as the global options left them."""
    found = context.obj
    assert isinstance(found, Places)
    return found


def known(project: Project, slugs: Sequence[str]) -> list[str]:
    """`slugs` without repetitions. Raises GlandError naming the nearest known slug for each that the taxonomy does not have."""
    declared = project.index()
    unknown = [slug for slug in slugs if slug not in declared]
    if unknown:
        lines = [f"the taxonomy has no discipline {slug!r}; {nearest(slug, declared, 'it has')}" for slug in unknown]
        raise GlandError("\n".join(lines))
    return list(dict.fromkeys(slugs))
