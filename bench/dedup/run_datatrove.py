"""Finds near duplicates with datatrove's four minhash steps over word 3-grams, one task each: one of each cluster is kept, nothing checked.

Run by bench.dedup with datatrove's own Python: QUESTIONS OUT.
"""

import gzip
import json
import sys
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import JsonlWriter


def main(questions: str, out: str) -> None:
    """Write the ids of the dropped ones."""
    config = MinhashConfig(n_grams=3, num_buckets=14, hashes_per_bucket=8)
    given = Path(questions)
    reader = ParquetReader(str(given.parent), glob_pattern=given.name)
    steps: list[tuple[int, list[PipelineStep]]] = [
        (1, [reader, MinhashDedupSignature("signatures", config=config)]),
        (config.num_buckets, [MinhashDedupBuckets("signatures", "buckets", config=config)]),
        (1, [MinhashDedupCluster("buckets", "removed", config=config)]),
        (1, [reader, MinhashDedupFilter("removed", exclusion_writer=JsonlWriter("dropped"))]),
    ]
    for number, (tasks, pipeline) in enumerate(steps):
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=f"logs/{number}").run()
    lines = [line for path in Path("dropped").glob("*.gz") for line in gzip.decompress(path.read_bytes()).splitlines()]
    dropped = [json.loads(line)["id"] for line in lines]
    Path(out).write_text("\n".join(dropped))


if __name__ == "__main__":
    main(*sys.argv[1:])
