"""Finds near duplicates with rensa's RMinHashDeduplicator over word 3-grams, the first of several kept; likeness is estimated, not checked.

Run by bench.dedup with rensa's own Python: QUESTIONS OUT BANDS.
"""

import re
import sys
from collections.abc import Iterator

import pyarrow.parquet as pq
from rensa import RMinHashDeduplicator


def tokens(text: str) -> list[str]:
    """Its word 3-grams."""
    words = re.findall(r"\w+", text.lower())
    return [" ".join(words[at : at + 3]) for at in range(max(1, len(words) - 2))]


def main(questions: str, out: str, bands: str) -> None:
    """Write the ids of the dropped ones."""
    table = pq.read_table(questions)
    ids = table["id"].to_pylist()
    found = RMinHashDeduplicator(threshold=0.7, num_perm=128, use_lsh=True, num_bands=None if bands == "own" else int(bands))

    def pairs() -> Iterator[tuple[str, list[str]]]:
        yield from zip(ids, map(tokens, table["text"].to_pylist()), strict=True)

    kept = found.add_pairs(pairs())
    with open(out, "w") as file:
        file.write("\n".join(identity for identity, keep in zip(ids, kept, strict=True) if not keep))


if __name__ == "__main__":
    main(*sys.argv[1:])
