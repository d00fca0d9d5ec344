"""What is measured, in a process of its own: python -m bench.leaks.steps FOLDER. The level contamination of every discipline.

Prints the CPU seconds of each step. Imports nothing but what the steps need.
"""

from __future__ import annotations

from bench.steps import take
from gland_assets.core.project import DecontaminationSet
from gland_assets.core.state import PartitionMeta
from gland_assets.io.partitions import Partitions

SETS = "sets.pickle"

Sets = tuple[DecontaminationSet, ...]


def index(sets: Sets, partitions: Partitions) -> None:
    """What is looked for, which a process makes once."""
    from gland_assets.io.benchmarks import index_of

    index_of(sets)


def look(sets: Sets, partitions: Partitions) -> None:
    """Discipline by discipline, from Parquet to Parquet."""
    from gland_assets.io.contamination import find_leaks

    for slug in partitions.stored("questions"):
        table, content = find_leaks(partitions, slug, sets)
        partitions.write("contamination", slug, table, PartitionMeta("contamination", slug, content, content, "{}"))


if __name__ == "__main__":
    take((index, look), SETS)
