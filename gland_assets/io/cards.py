"""The dataset card that goes with an export: what it holds, what made it, and how to cite the method."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa

from gland_assets import __version__
from gland_assets.core.levels import IMPORTED
from gland_assets.core.project import LOCAL_MODEL, STAGES, Project


@dataclass
class Contents:
    """Counts over what an export wrote."""

    pairs: int = 0
    tokens: int = 0
    places: Counter[tuple[str, str]] = field(default_factory=Counter)  # (field, discipline) -> pairs
    models: dict[str, Counter[str]] = field(default_factory=lambda: {"question_model": Counter(), "answer_model": Counter()})

    def count(self, batch: pa.RecordBatch) -> None:
        """Add a batch of dataset rows."""
        self.pairs += batch.num_rows
        self.tokens += sum(value or 0 for value in batch["tokens"].to_pylist())
        self.places.update(zip(batch["field"].to_pylist(), batch["discipline"].to_pylist(), strict=True))
        for column, counter in self.models.items():
            written = zip(batch[column].to_pylist(), batch["strategy"].to_pylist(), strict=True)
            counter.update(model or (IMPORTED if strategy == IMPORTED else "unknown") for model, strategy in written)

    def by_field(self) -> dict[str, int]:
        """Field -> pairs, in order of name."""
        found: Counter[str] = Counter()
        for (top, _), pairs in self.places.items():
            found[top] += pairs
        return dict(sorted(found.items()))

    @property
    def demonstration(self) -> bool:
        """Whether the bundled local model wrote any of it."""
        return any(model.split("@")[0] == LOCAL_MODEL for counter in self.models.values() for model in counter)


def card(project: Project, contents: Contents, format: str, file: str, where: str | None) -> str:
    """The text of README.md: front matter that dataset hubs read, then prose and tables."""
    parts = [
        _front_matter(project, contents, format, file),
        f"# {project.name}",
        _opening(project, contents, format, file, where),
        "## Contents\n\n" + _fields_table(project, contents),
        "## Models\n\n" + _models_table(contents),
        "## Settings\n\n" + "\n".join(f"- {line}" for line in _settings(project)),
        "## Licence\n\nNot stated here: it is for you to choose, within the terms of the models above.",
        f"## Method\n\nMade with gland {__version__}, after: Haoran Li et al., *Synthetic Data (Almost) from Scratch: Generalized "
        "Instruction Tuning for Language Models* (GLAN), 2024, [arXiv:2402.13064](https://arxiv.org/abs/2402.13064).",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(project: Project, contents: Contents, format: str, file: str) -> str:
    lines = [
        f"pretty_name: {json.dumps(project.name, ensure_ascii=False)}",
        f"language:\n- {project.language}",
        "task_categories:\n- text-generation",
        f"size_categories:\n- {_size(contents.pairs)}",
        "tags:\n- synthetic\n- instruction-tuning\n- glan" + ("\n- demonstration-quality" if contents.demonstration else ""),
        f"configs:\n- config_name: default\n  data_files: {file}",
    ]
    return "---\n" + "\n".join(lines) + "\n---"


def _size(pairs: int) -> str:
    steps = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M"))
    return next((name for limit, name in steps if pairs < limit), "n>10M")


def _opening(project: Project, contents: Contents, format: str, file: str, where: str | None) -> str:
    said = [f"{contents.pairs:,} question-answer pairs ({contents.tokens:,} tokens) in {len(contents.places):,} disciplines, made from a "
            f"declared taxonomy of knowledge. `{file}` is in the format `{format}`, in order of `id`."]  # fmt: skip
    if where:
        said.append(f"Only pairs for which this holds: `{' '.join(where.split())}`.")
    if contents.demonstration:
        said.append("**Demonstration quality**: SmolLM2-135M-Instruct, a small local model, wrote some or all of it. It shows the form, "
                    "and is not fit for training.")  # fmt: skip
    return "\n\n".join(said)


def _fields_table(project: Project, contents: Contents) -> str:
    names = {top.slug: top.name for top in project.fields}
    disciplines = Counter(top for top, _ in contents.places)
    rows = [(names.get(top, top), f"{disciplines[top]:,}", f"{pairs:,}") for top, pairs in contents.by_field().items()]
    return _table(("field", "disciplines", "pairs"), rows)


def _models_table(contents: Contents) -> str:
    rows = []
    for column, counter in contents.models.items():
        role = column.removesuffix("_model") + "s"
        for model, pairs in sorted(counter.items(), key=lambda item: (-item[1], item[0])):
            rows.append((role, model, f"{pairs / contents.pairs:.1%}"))
    return _table(("wrote", "model", "share of pairs"), rows)


def _settings(project: Project) -> Iterable[str]:
    yield f"seed {project.seed}, language {project.language}"
    for stage in STAGES:
        used = sorted({_sampling(discipline.settings.stages[stage]) for discipline in project.disciplines()})
        yield f"{stage}: " + "; or ".join(used)
    dedup = project.dedup
    compared = {"both": "questions with their answers"}.get(dedup.over, dedup.over)
    within = "" if dedup.across else ", within each discipline"
    yield (
        f"near duplicates of {compared} dropped at Jaccard {dedup.threshold} over word {dedup.ngram}-grams "
        f"(MinHash, {dedup.num_perm} permutations, {dedup.bands} bands of {dedup.rows}){within}"
    )


def _sampling(settings: object) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {getattr(settings, name)}" for name in ("temperature", "top_p", "max_tokens"))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
