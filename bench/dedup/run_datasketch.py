"""Finds near duplicates with datasketch's MinHashLSH, exact Jaccard over word 3-grams checked, the first of several kept.

Run by bench.dedup with datasketch's own Python: QUESTIONS OUT BANDS.
"""

import re
import sys

import pyarrow.parquet as pq
from datasketch import MinHash, MinHashLSH

THRESHOLD = 0.7


def shingles(text: str) -> set[str]:
    """Its word 3-grams."""
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[at : at + 3]) for at in range(max(1, len(words) - 2))}


def main(questions: str, out: str, bands: str) -> None:
    """Write the ids of the dropped ones."""
    table = pq.read_table(questions)
    texts = table["text"].to_pylist()
    params = None if bands == "own" else tuple(map(int, bands.split("x")))
    values = params[0] * params[1] if params else 128
    lsh = MinHashLSH(threshold=THRESHOLD, num_perm=values, params=params)
    dropped = []
    signed = MinHash.generator(([shingle.encode() for shingle in shingles(text)] for text in texts), num_perm=values)
    for number, (identity, text, made) in enumerate(zip(table["id"].to_pylist(), texts, signed, strict=True)):
        mine = shingles(text)
        if any(len(mine & other) >= THRESHOLD * len(mine | other) for other in map(shingles, (texts[each] for each in lsh.query(made)))):
            dropped.append(identity)
        else:
            lsh.insert(number, made, check_duplication=False)
    with open(out, "w") as file:
        file.write("\n".join(dropped))


if __name__ == "__main__":
    main(*sys.argv[1:])
