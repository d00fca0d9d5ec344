"""Other tools on the same questions, each as its manual has it, from Parquet to a list of dropped rows; pinned here alone.

Versions were the newest on 2026-11-26 that install on Python 3.11.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pyarrow as pa
import pyarrow.parquet as pq

from bench.corpus import Corpus, identity, number_of
from bench.dedup.exact import Alike
from bench.dedup.measure import Failed, measured
from bench.dedup.warehouse import bare, caught, made, project
from bench.peers.tools import ROOT, Tool, environment, install
from gland_assets.io.partitions import ALL, Partitions

GLAND = Tool("gland", "", version="of this checkout")
TOOLS = (
    GLAND,
    Tool("datasketch", "run_datasketch.py", "datasketch", "2.0.0", missing=("pyarrow",)),
    Tool("rensa", "run_rensa.py", "rensa", "0.5.0", missing=("pyarrow",)),
    Tool("text-dedup", "run_text_dedup.py", "text-dedup", "0.4.0", missing=("pyarrow",), newer="0.4.1"),
    Tool("datatrove", "run_datatrove.py", "datatrove[io,processing]", "0.10.1", missing=("spacy",)),
    # Its own model is downloaded when it is first used; this package holds one of the same kind, of 10,000 words and 64 dimensions.
    Tool("semhash", "run_semhash.py", "semhash", "0.5.0", missing=("pyarrow", "tokenlearn-static-model==0.1.1")),
)
LONGEST_S = 3600
REPEATED_S = 60  # CPU seconds: what has taken as much is not run again


@dataclass(frozen=True)
class Way:
    """One way to use a tool: `options` are what its script takes. The slow ones get fewer questions."""

    tool: str
    label: str
    options: tuple[str, ...] = ()
    most: int = 1_000_000


WAYS = (
    Way("gland", "verified, 18 bands of 4"),
    Way("datasketch", "MinHashLSH, its own bands, verified", ("own",)),
    Way("datasketch", "MinHashLSH, 18 bands of 4, verified", ("18x4",)),
    Way("rensa", "RMinHashDeduplicator, its own bands", ("own",)),
    Way("rensa", "RMinHashDeduplicator, 32 bands", ("32",)),
    Way("text-dedup", "minhash, --ngram 3 --num_perm 128"),
    Way("datatrove", "minhash, 3-grams, 14 buckets of 8", most=20_000),
    Way("semhash", "self_deduplicate, threshold 0.9, its default", ("0.9",), most=20_000),
    Way("semhash", "self_deduplicate, threshold 0.99", ("0.99",), most=20_000),
)
COLUMNS = (
    "tool", "version", "way", "questions", "runs", "CPU s", "questions a CPU s", "peak MiB", "dropped", "of them duplicates",
    "planted pairs caught",
)  # fmt: skip


def compare(names: list[str], count: int, folder: Path, venvs: Path, runs: int) -> None:
    """Install and run the tools named, and print a table."""
    said = {tool.name: install(tool, venvs) for tool in TOOLS if tool.name in names}
    print(f"\n| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|", flush=True)
    for way in WAYS:
        if way.tool in names and not said[way.tool]:
            told(way, Corpus.of(min(count, way.most)), folder, venvs, runs)
    for name, fault in said.items():
        if fault:
            print(f"{name} does not install: {fault}")


def told(way: Way, corpus: Corpus, folder: Path, venvs: Path, runs: int) -> None:
    """Run one tool in one way, and print its row."""
    tool = next(tool for tool in TOOLS if tool.name == way.tool)
    given = folder / f"questions-{len(corpus)}.parquet"
    if not given.exists():
        pq.write_table(pa.table({"id": list(map(identity, range(len(corpus)))), "text": list(map(corpus.text, range(len(corpus))))}), given)
    used = []
    try:
        for _ in range(runs):
            dropped, seconds, peak = own(corpus, folder) if tool is GLAND else other(tool, way, given, venvs)
            used.append((seconds, peak))
            if sum(each for each, _ in used) >= REPEATED_S:
                break
    except Failed as failed:
        print(f"| {tool.name} | {tool.version} | {way.label} | {len(corpus):,} | | failed: {failed} |", flush=True)
        return
    threshold = project().dedup.threshold
    right = Alike([corpus.text(number) for number in range(len(corpus))], project().dedup).count(map(number_of, dropped))
    planted, found = caught(corpus.planted(range(len(corpus))), dropped, threshold)
    seconds = median(each for each, _ in used)
    print(
        f"| {tool.name} | {tool.version} | {way.label} | {len(corpus):,} | {len(used)} | {seconds:.2f} | {len(corpus) / seconds:,.0f} | "
        f"{max(peak for _, peak in used):,.0f} | {len(dropped):,} | {right:,} ({right / max(1, len(dropped)):.4f}) | "
        f"{found:,} of {planted:,} ({found / planted:.4f}) |",
        flush=True,
    )


def own(corpus: Corpus, folder: Path) -> tuple[set[str], float, float]:
    """The ids that GLAND drops, CPU seconds, peak MiB."""
    warehouse = made(folder, corpus)
    bare(warehouse)
    used = measured(sys.executable, "-m", "bench.dedup.steps", warehouse, folder=ROOT)
    return set(Partitions(warehouse).columns("duplicates", ALL, ("question_id",))["question_id"].to_pylist()), used.seconds, used.peak


def other(tool: Tool, way: Way, given: Path, venvs: Path) -> tuple[set[str], float, float]:
    """The same of another tool, in a folder of its own that is thrown away."""
    with tempfile.TemporaryDirectory() as home:
        out = Path(home, "dropped.txt")
        script = Path(__file__).with_name(tool.script)
        line = (tool.python(venvs), script, given.resolve(), out, *way.options)
        used = measured(*line, folder=Path(home), env=environment(tool, Path(home)), timeout_s=LONGEST_S)
        return set(out.read_text().split()), used.seconds, used.peak
