"""Finds texts of like meaning with semhash, by a small model that a package holds: its own would be downloaded. No words are compared.

Run by bench.dedup with semhash's own Python: QUESTIONS OUT THRESHOLD.
"""

import importlib.util
import sys
from pathlib import Path

import pyarrow.parquet as pq
from model2vec import StaticModel
from semhash import SemHash


def main(questions: str, out: str, threshold: str) -> None:
    """Write the ids of the dropped ones."""
    [package] = importlib.util.find_spec("static_model").submodule_search_locations
    model = StaticModel.from_pretrained(str(Path(package, "model")))
    records = pq.read_table(questions).to_pylist()
    found = SemHash.from_records(records, columns=["text"], model=model).self_deduplicate(threshold=float(threshold))
    kept = {record["id"] for record in found.selected}
    Path(out).write_text("\n".join(record["id"] for record in records if record["id"] not in kept))


if __name__ == "__main__":
    main(*sys.argv[1:])
