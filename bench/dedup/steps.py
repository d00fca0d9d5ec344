"""What is measured, in a process of its own: python -m bench.dedup.steps FOLDER. Brings all up to date, from Parquet to tables.

Prints the CPU seconds of each step. Imports nothing but what the steps need, and each of them its own.
"""

from __future__ import annotations

from bench.steps import take
from gland_assets.core.project import Project
from gland_assets.core.state import PartitionMeta
from gland_assets.io.partitions import Partitions

PROJECT = "project.pickle"


def sign(project: Project, partitions: Partitions) -> None:
    """The level signatures, of the disciplines that have none."""
    from gland_assets.io.signing import sign_questions

    made = set(partitions.stored("signatures"))
    for slug in partitions.stored("questions"):
        if slug not in made:
            table, content = sign_questions(partitions, slug, project.dedup)
            partitions.write("signatures", slug, table, PartitionMeta("signatures", slug, content, content, "{}"))


def find(project: Project, partitions: Partitions) -> None:
    """The level duplicates."""
    from gland_assets.io.minhash import compute_duplicates

    compute_duplicates(project, partitions)


def index(project: Project, partitions: Partitions) -> None:
    """The index of signatures."""
    from gland_assets.io.minhash import update_index

    update_index(project, partitions.warehouse)


if __name__ == "__main__":
    take((sign, find, index), PROJECT)
