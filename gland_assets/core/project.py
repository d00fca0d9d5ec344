"""What a taxonomy file declares once read: the tree, the deployments, and the settings in force at each discipline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

STAGES = ("subjects", "syllabi", "questions", "answers")
"""The stages that ask a model, each named as the asset it makes, in order of the road."""

LOCAL_MODEL = "gland-local/smollm2-135m-instruct"
"""The model used when a project declares no deployment at all."""

Structured = Literal["json_schema", "json_object", "none"]


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None  # None: as `input`


@dataclass(frozen=True, slots=True)
class Deployment:
    """A litellm model with its route, endpoints, key name and limits. Only `model` and `revision` shape a request's key."""

    name: str
    model: str
    revision: str | None = None
    route: str | None = None  # litellm's model string, when it differs from `model`
    api_base: tuple[str, ...] = ()
    key_env: str | None = None
    rpm: int | None = None  # requests per minute
    tpm: int | None = None  # tokens per minute
    max_parallel_requests: int = 64
    timeout: float = 120.0  # seconds
    first_byte_timeout: float | None = None  # seconds until a reply must begin; None: the timeout alone
    context: int | None = None  # tokens
    structured: Structured = "json_schema"
    price: Price | None = None  # None: litellm's table, or unknown
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """The part of the request key that names the weights."""
        return f"{self.model}@{self.revision}" if self.revision else self.model

    @property
    def local(self) -> bool:
        """Whether this is the bundled demonstration model."""
        return self.model == LOCAL_MODEL


@dataclass(frozen=True, slots=True)
class StageSettings:
    """How one stage asks: deployments in order of preference, and the sampling parameters."""

    models: tuple[str, ...]  # deployment names
    temperature: float
    top_p: float
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Settings:
    """What is in force at one discipline, every inherited override applied (the nearest wins)."""

    pairs: int
    seed: int
    subject_queries: int
    subjects: tuple[int, int]  # least and most subjects asked for in one query
    sessions: tuple[int, int]  # least and most class sessions asked for in one syllabus
    stages: Mapping[str, StageSettings]


@dataclass(frozen=True, slots=True)
class Discipline:
    """One discipline: its slug is its identity and its partition key."""

    slug: str
    name: str
    subfield: str  # slug
    field: str  # slug
    position: int  # from 0, in declared order over the whole taxonomy
    settings: Settings
    title: str | None = None  # for display only
    sources: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Subfield:
    """A declared node between field and discipline."""

    slug: str
    name: str
    field: str  # slug
    position: int
    note: str | None
    disciplines: tuple[Discipline, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A declared top node."""

    slug: str
    name: str
    position: int
    note: str | None
    subfields: tuple[Subfield, ...]


@dataclass(frozen=True, slots=True)
class Dedup:
    """Near-duplicate settings. The signature is datasketch's MinHash (scheme affine32) over word n-grams."""

    threshold: float = 0.7  # exact Jaccard over word n-grams at which two questions count as one
    ngram: int = 3  # words a shingle
    num_perm: int = 72
    seed: int = 1
    bands: int = 18
    rows: int = 4  # rows a band
    rate: tuple[float, float] = (0.0, 0.5)  # least and most of a discipline's answered questions that may be dropped; else a check warns
    over: Literal["questions", "answers", "both"] = "questions"  # which text of a pair is compared; both: the two as one
    across: bool = True  # False: duplicates are looked for within each discipline alone


@dataclass(frozen=True, slots=True)
class Budget:
    """Caps for the project, all builds together."""

    usd: Decimal | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Automation:
    """What the web interface may start by itself, beside what costs nothing."""

    paid: bool = False  # a build whenever something is out of date


@dataclass(frozen=True, slots=True)
class Rule:
    """An item counts as repeated when n-grams of so many words, that it has in common with a text, cover more than `share` of it."""

    ngram: int
    share: float = 0.0  # 0: one n-gram is enough


RULES = (Rule(13), Rule(8, 0.5))


@dataclass(frozen=True, slots=True)
class DecontaminationSet:
    """A benchmark set that pairs must not repeat. `path`: a file or folder; of a known set without one, the folder of all known sets."""

    name: str
    path: str
    known: bool = False  # found below `path` by what its files are called, and read as it is known to be laid out
    columns: tuple[str, ...] = ()  # whose text makes an item
    id: str | None = None  # the column that names an item; None: its number in the file
    split: str | None = None  # None: all of it, and of a known set its test split
    rules: tuple[Rule, ...] = RULES  # the longest n-gram first
    content: str = ""  # hash of its files; empty: they are not there


@dataclass(frozen=True)
class Project:
    """A whole taxonomy file, with everything it includes, checked and resolved."""

    name: str
    language: str  # ISO 639-1
    seed: int
    path: Path  # the taxonomy file
    fields: tuple[Field, ...]
    deployments: Mapping[str, Deployment]
    prompts: Mapping[str, str]  # file name below prompts/ -> text, overrides applied
    dedup: Dedup = Dedup()
    budget: Budget = Budget()
    automation: Automation = Automation()
    decontaminate: tuple[DecontaminationSet, ...] = ()
    store_path: Path | None = None  # a shared response store; None: in the warehouse
    taxonomy_hash: str = ""

    def disciplines(self) -> Iterator[Discipline]:
        """Every discipline in declared order."""
        for top in self.fields:
            for subfield in top.subfields:
                yield from subfield.disciplines

    def discipline(self, slug: str) -> Discipline:
        """The discipline with this slug; KeyError when the taxonomy has none."""
        return self._paths[slug][2]

    def index(self) -> dict[str, Discipline]:
        """Slug -> discipline."""
        return {slug: discipline for slug, (_, _, discipline) in self._paths.items()}

    def path_of(self, slug: str) -> tuple[Field, Subfield, Discipline]:
        """Field, subfield and discipline above and at `slug`; KeyError when the taxonomy has none."""
        return self._paths[slug]

    @cached_property
    def _paths(self) -> dict[str, tuple[Field, Subfield, Discipline]]:
        return {
            discipline.slug: (top, subfield, discipline)
            for top in self.fields for subfield in top.subfields for discipline in subfield.disciplines
        }  # fmt: skip

    def preferred(self, discipline: Discipline, stage: str) -> Deployment:
        """The first deployment of a stage: the one whose identity goes into the request key."""
        return self.deployments[discipline.settings.stages[stage].models[0]]
