"""What is measured, in a process of its own: python -m bench.leaks.steps FOLDER [start]. The level contamination of every discipline.

Prints the CPU seconds of each step. Imports nothing but what the steps need; `start` ends before the first.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from time import process_time

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


STEPS = (index, look)


def main(folder: Path, wanted: str = "") -> None:
    """Do the steps over the warehouse in `folder`."""
    import numpy  # noqa: F401  the start of both of them
    import pyarrow.parquet  # noqa: F401

    sets: Sets = pickle.loads((folder / SETS).read_bytes())
    partitions = Partitions(folder)
    took = {"start": process_time()}
    for step in () if wanted == "start" else STEPS:
        before = process_time()
        step(sets, partitions)
        took[step.__name__] = process_time() - before
    print(json.dumps(took))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
