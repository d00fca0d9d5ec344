"""What is measured, in a process of its own: python -m bench.dedup.steps FOLDER [start]. Brings all up to date, from Parquet to tables.

Prints the CPU seconds of each step. Imports nothing but what the steps need, and each of them its own; `start` ends before the first.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from time import process_time

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


STEPS = (sign, find, index)


def main(folder: Path, wanted: str = "") -> None:
    """Do the steps over the warehouse in `folder`."""
    import numpy  # noqa: F401  the start of all of them
    import pyarrow.parquet  # noqa: F401

    project: Project = pickle.loads((folder / PROJECT).read_bytes())
    partitions = Partitions(folder)
    took = {"start": process_time()}
    for step in () if wanted == "start" else STEPS:
        before = process_time()
        step(project, partitions)
        took[step.__name__] = process_time() - before
    print(json.dumps(took))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
