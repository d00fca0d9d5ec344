"""Dagster's GraphQL in this process, as its web interface asks it, on a project's definitions."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.test_utils import in_process_test_workspace
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceRequestContext
from dagster_graphql.schema import create_schema

DEFINITIONS = """from pathlib import Path
from gland_assets.assets import definitions_for
defs = definitions_for(Path(__file__).parent / "taxonomy.toml")
"""
STATES = """query($assets: [AssetKeyInput!], $slugs: [String!]) {
  assetNodes(assetKeys: $assets) { assetKey { path } staleStatusByPartition(partitions: $slugs) } }"""
WHOLE = "query($assets: [AssetKeyInput!]) { assetNodes(assetKeys: $assets) { assetKey { path } staleStatus } }"


class Dagster:
    """What Dagster shows of one project."""

    def __init__(self, context: WorkspaceRequestContext) -> None:
        self._context, self._schema = context, create_schema()

    def ask(self, query: str, **variables: Any) -> Any:
        result = self._schema.execute(query, context=self._context.process_context.create_request_context(), variables=variables)
        assert not result.errors, result.errors
        return result.data

    def states(self, levels: tuple[str, ...], slugs: list[str]) -> dict[tuple[str, str], str]:
        """(level, discipline) -> MISSING, STALE or FRESH."""
        nodes = self.ask(STATES, assets=[{"path": [level]} for level in levels], slugs=slugs)["assetNodes"]
        assert len(nodes) == len(levels)
        return {
            (node["assetKey"]["path"][0], slug): state
            for node in nodes
            for slug, state in zip(slugs, node["staleStatusByPartition"], strict=True)
        }

    def whole(self, *levels: str) -> dict[str, str]:
        """Unpartitioned level -> MISSING, STALE or FRESH."""
        nodes = self.ask(WHOLE, assets=[{"path": [level]} for level in levels])["assetNodes"]
        return {node["assetKey"]["path"][0]: node["staleStatus"] for node in nodes}


@contextmanager
def shown(folder: Path, instance: dg.DagsterInstance) -> Iterator[Dagster]:
    """Dagster over the project in `folder`, whose definitions are loaded as its web interface loads them."""
    (folder / "definitions.py").write_text(DEFINITIONS)
    target = LoadableTargetOrigin(python_file=str(folder / "definitions.py"), working_directory=str(folder))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with in_process_test_workspace(instance, target) as context:
            yield Dagster(context)
