"""Finds near duplicates with text-dedup's minhash command over word 3-grams: one of each connected component is kept, nothing checked.

Run by bench.dedup with text-dedup's own Python: QUESTIONS OUT.
"""

import subprocess
import sys
from pathlib import Path

from datasets import Dataset, load_from_disk


def main(questions: str, out: str) -> None:
    """Write the ids of the dropped ones."""
    given = Dataset.from_parquet(questions, cache_dir=".cache")
    given.save_to_disk("given")
    options = "--path given --local --output kept --column text --ngram 3 --num_perm 128 --threshold 0.7 --min_length 1 --num_proc 1"
    subprocess.run([sys.executable, "-m", "text_dedup.minhash", *options.split()], check=True)
    kept = set(load_from_disk("kept")["id"])
    Path(out).write_text("\n".join(identity for identity in given["id"] if identity not in kept))


if __name__ == "__main__":
    main(*sys.argv[1:])
