"""Builds in this process against the local server: partitions, store and ledger as `gland build` leaves them, without Dagster's seconds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from unittest.mock import patch

from gland_assets.core.levels import GENERATED
from gland_assets.core.plan import make_plan
from gland_assets.io.builder import open_builder, recorded_build
from gland_assets.io.contamination import find_leaks, looked_for
from gland_assets.io.foresight import Portion, foresee
from gland_assets.io.ledger import Ledger, Spent
from gland_assets.io.partitions import Partitions
from gland_assets.io.project import load_project
from gland_assets.io.signing import sign_questions
from gland_assets.io.walk import MAKE, READ
from tests.cli.running import declare
from tests.server import ModelServer

HEAD = """[dataset]
name = "served"
[deployment.large]
model = "openai/large-1"
api_base = "{url}"
key_env = "SMALL_KEY"
max_parallel_requests = {parallel}
usd_per_million = {{ input = 1.0, output = 2.0 }}
[defaults]
pairs = {pairs}
subject_queries = 2
subjects = [3, 4]
sessions = [3, 4]
"""
KEY = {"SMALL_KEY": "a key for nobody"}


def served(folder: Path, server: ModelServer, names: tuple[str, ...] = ("Logic", "Optics"), pairs: int = 6, more: str = "") -> Path:
    """A project whose model is the local server; `more` goes at the end of its head."""
    listed = ", ".join(f'"{name}"' for name in names)
    tree = f'\n[[field]]\nname = "All"\n[[field.subfield]]\nname = "Of it"\ndisciplines = [{listed}]\n'
    return declare(folder, tree, HEAD.format(url=server.url, pairs=pairs, parallel=8) + more)


def build(folder: Path, *slugs: str) -> str:
    """Bring disciplines, or all, up to date; the build's id."""
    project, warehouse = load_project(folder / "taxonomy.toml"), folder / "warehouse"
    late = make_plan(project, Partitions(warehouse).metas(), slugs).out_of_date()
    with (
        patch.dict("os.environ", KEY),
        recorded_build(project, warehouse) as build_id,
        open_builder(project, warehouse, build_id) as builder,
    ):
        for slug, levels in late.items():
            builder.declare(slug, levels)
            for stage in GENERATED:
                builder.generate(stage, slug, lambda making, stage=stage, slug=slug: MAKE[stage](making, _Stored(builder.partitions, slug)))  # type: ignore[misc]
            leaks = partial(find_leaks, builder.partitions, slug, project.decontaminate)
            builder.compute("contamination", slug, leaks, partial(looked_for, project.decontaminate))
            builder.compute("signatures", slug, lambda slug=slug: sign_questions(builder.partitions, slug, project.dedup))  # type: ignore[misc]
    return build_id


class _Stored(dict[str, list[object]]):
    """The records of a discipline's partitions, read when they are asked for."""

    def __init__(self, partitions: Partitions, slug: str) -> None:
        super().__init__()
        self._partitions, self._slug = partitions, slug

    def __missing__(self, stage: str) -> list[object]:
        return [READ[stage](row) for row in self._partitions.rows(stage, self._slug)]


def foreseen(folder: Path, *slugs: str) -> Portion:
    """What a plan of disciplines, or of all, foresees."""
    project, warehouse = load_project(folder / "taxonomy.toml"), folder / "warehouse"
    return foresee(project, warehouse, make_plan(project, Partitions(warehouse).metas(), slugs)).all


def spent(folder: Path) -> Spent:
    """What has been paid over all builds."""
    ledger = Ledger(folder / "warehouse")
    try:
        return ledger.spent()
    finally:
        ledger.close()


def edit(folder: Path, changes: Mapping[str, str]) -> None:
    """Replace texts in the taxonomy file, each of which must be there."""
    path = folder / "taxonomy.toml"
    text = path.read_text()
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    path.write_text(text)
