"""What this project's own past says of a call: how long prompts and replies are, how many replies a row takes, how long one waits."""

from __future__ import annotations

import json
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gland_assets.core.levels import TURNS
from gland_assets.core.plan import Metas
from gland_assets.core.project import Settings
from gland_assets.core.recipes import PROMPT_FILES
from gland_assets.io.ledger import Ledger

SPANS, SPAN = 20, 1_000
"""The ledger is sampled by as many spans of as many requests, evenly over its numbers: a plan must not read ten million rows."""

_SAMPLE = """select p.name, r.deployment, count(*), sum(r.prompt_tokens), sum(r.cached_tokens), sum(r.completion_tokens), sum(r.latency_s)
from requests r join prompts p using (prompt_hash) where r.number between ? and ? group by 1, 2"""


@dataclass(frozen=True, slots=True)
class Call:
    """The mean of some calls: tokens, of the prompt's those the provider had in its cache, and seconds."""

    prompt: float
    cached: float
    completion: float
    seconds: float


class History:
    """Means over what this project has paid for so far, rejected replies among it."""

    def __init__(self, metas: Metas, warehouse: Path) -> None:
        self._sums = _sampled(warehouse)
        self._replies: dict[str, list[int]] = {stage: [0, 0] for stage in TURNS}  # replies that were read, and rows they were for
        self._subjects: dict[tuple[int, tuple[int, ...]], list[int]] = defaultdict(lambda: [0, 0])  # settings -> subjects, queries
        for (asset, _), meta in metas.items():
            if asset not in TURNS:
                continue
            rows = meta.rows + meta.failed - meta.unanswered - meta.imported
            if asset == "subjects":
                made_by = json.loads(meta.recipe)
                queries = int(made_by.get("subject_queries", 0))
                rows = queries - meta.unanswered
                known = self._subjects[queries, tuple(made_by.get("subjects", ()))]
                known[0], known[1] = known[0] + meta.rows, known[1] + rows
            if meta.calls + meta.reused:
                self._replies[asset][0] += meta.calls + meta.reused
                self._replies[asset][1] += rows

    def call(self, stage: str, turn: int, deployment: str) -> Call | None:
        """The mean call of one turn to a deployment, else to any; None when there was none."""
        files = PROMPT_FILES[stage] if TURNS[stage] == 1 else (PROMPT_FILES[stage][turn],)
        found = [sums for (name, _), sums in self._sums.items() if name in files]
        own = [sums for (name, by), sums in self._sums.items() if name in files and by == deployment]
        calls, prompt, cached, completion, seconds = (sum(column) for column in zip(*(own or found), strict=True)) if found else [0] * 5
        return Call(prompt / calls, cached / calls, completion / calls, seconds / calls) if calls else None

    def calls_a_row(self, stage: str) -> tuple[float, ...]:
        """How many calls of each turn one row takes, replies that are rejected and asked for again among them; never less than one."""
        turns = range(TURNS[stage])
        seen = [sum(sums[0] for (name, _), sums in self._sums.items() if name == PROMPT_FILES[stage][turn]) for turn in turns]
        replies, rows = self._replies[stage]
        if not rows:
            return (1.0,) * len(seen)
        each = replies / rows
        return tuple(max(1.0, each * count / sum(seen) if sum(seen) else each / len(seen)) for count in seen)

    def subjects_a_query(self, settings: Settings) -> float | None:
        """Different subjects that a query brings where it asked for as many, if possible as often; None when that has not been done."""
        alike = {often: sums for (often, bounds), sums in self._subjects.items() if bounds == settings.subjects}
        found = [alike[settings.subject_queries]] if settings.subject_queries in alike else list(alike.values())
        subjects, queries = (sum(column) for column in zip(*found, strict=True)) if found else (0, 0)
        return subjects / queries if queries else None


def _sampled(warehouse: Path) -> dict[tuple[str, str], list[float]]:
    """(prompt file, deployment) -> calls, and sums of prompt, cached and completion tokens and of seconds."""
    ledger = Ledger(warehouse)
    sums: dict[tuple[str, str], list[float]] = {}
    if not ledger.exists():
        return sums
    with closing(ledger), ledger.reading() as connection:
        last = connection.execute("select max(number) from requests").fetchone()[0] or 0
        step = max(SPAN, last // SPANS)
        for first in range(1, last + 1, step):
            for name, deployment, *values in connection.execute(_SAMPLE, (first, first + SPAN - 1)):
                known = sums.setdefault((name, deployment), [0.0] * len(values))
                sums[name, deployment] = [before + more for before, more in zip(known, values, strict=True)]
    return sums
