"""Steps over a warehouse, each timed, in a process that imports nothing but what they need."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time
from typing import Any

from gland_assets.io.partitions import Partitions


def take(steps: Sequence[Callable[[Any, Partitions], None]], given: str) -> None:
    """Take `steps` over the warehouse in the folder that the command line names, and print their CPU seconds and those of the start.

    Each is given what is pickled in the file `given` of the folder.
    """
    import numpy  # noqa: F401  the start of all of them
    import pyarrow.parquet  # noqa: F401

    folder = Path(sys.argv[1])
    told = pickle.loads((folder / given).read_bytes())
    partitions = Partitions(folder)
    took = {"start": process_time()}
    for step in steps:
        before = process_time()
        step(told, partitions)
        took[step.__name__] = process_time() - before
    print(json.dumps(took))
