"""The resources of the assets: the builder of one run, and the published file through dagster-duckdb."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
from dagster._core.storage.tags import PARTITION_NAME_TAG
from dagster_duckdb import DuckDBResource

from gland_assets.assets.lost import process_tag
from gland_assets.assets.records import Records
from gland_assets.assets.reporting import report
from gland_assets.io.builder import Builder, open_builder, recorded_build
from gland_assets.io.project import load_project


def builder_resource(taxonomy: Path, warehouse: Path, builder: Builder | None) -> dg.ResourceDefinition:
    """The `builder` of the build that runs; without one, a builder for a run launched from Dagster, which counts as a build of its own."""
    if builder is not None:
        return dg.ResourceDefinition.hardcoded_resource(builder)

    @dg.resource(description="Reads and brings up to date the partitions of this project; every model call passes through its gateway.")
    def build(context: dg.InitResourceContext) -> Iterator[Builder]:
        if context.instance and context.run:
            context.instance.add_run_tags(context.run.run_id, process_tag())
        project = load_project(taxonomy)
        if context.instance and context.run:
            partition = context.run.tags.get(PARTITION_NAME_TAG)
            report(Records(context.instance), project, warehouse, only=[partition] if partition else [])
        with recorded_build(project, warehouse) as build_id, open_builder(project, warehouse, build_id) as builder:
            yield builder

    return build


def published_file(warehouse: Path) -> DuckDBResource:
    """gland.duckdb, the file that people query."""
    return DuckDBResource(database=str(warehouse.resolve() / "gland.duckdb"))
