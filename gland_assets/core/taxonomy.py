"""What may stand in a taxonomy file: its tables, keys, types and bounds. Only the shape; what it means is resolved in core/settings."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from gland_assets.core.project import Structured

T = TypeVar("T", int, float)

SLUG = r"^[a-z0-9-]{1,80}$"
LARGEST = 2**31 - 1  # counts are published as 32-bit integers


class Table(BaseModel):
    """A table whose keys are all known and whose values are never converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _in_order(bounds: list[T]) -> list[T]:
    if bounds[0] > bounds[1]:
        raise PydanticCustomError("out_of_order", "least above most")
    return bounds


def _named(value: object) -> object:
    """A discipline written as its name alone, as the table it stands for."""
    return {"name": value} if isinstance(value, str) else value


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


Text = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$", max_length=300)]
FilePath = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$")]
Slug = Annotated[str, StringConstraints(pattern=SLUG)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+\S*$")]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Count = Annotated[int, Field(ge=0, le=LARGEST)]
Positive = Annotated[int, Field(ge=1, le=LARGEST)]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
Tokens = Annotated[int, Field(ge=0, le=2**63 - 1)]
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
LeastMost = Annotated[list[Positive], Field(min_length=2, max_length=2), AfterValidator(_in_order)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Models = Annotated[list[Text], Field(min_length=1)]


class StageTable(Table):
    """`[stage.STAGE]`: how one stage asks."""

    models: Models | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    max_tokens: Positive | None = None


class StagesTable(Table):
    """`[stage]`: one table a stage."""

    subjects: StageTable | None = None
    syllabi: StageTable | None = None
    questions: StageTable | None = None
    answers: StageTable | None = None


class Overrides(Table):
    """What any node may set for itself and all below it."""

    pairs: Count | None = None
    seed: Seed | None = None
    models: Models | None = None
    subject_queries: Count | None = None
    subjects: LeastMost | None = None
    sessions: LeastMost | None = None
    stage: StagesTable | None = None


class NodeTable(Overrides):
    """What every declared node has. A missing name is told with the node's place, so it is not required here."""

    name: Text | None = None
    slug: Slug | None = None


class DisciplineTable(NodeTable):
    """One entry of `disciplines`."""

    title: Text | None = None
    sources: list[Text] = []


class SubfieldTable(NodeTable):
    """`[[field.subfield]]`."""

    note: str | None = None
    disciplines: list[Annotated[DisciplineTable, BeforeValidator(_named)]] = []


class FieldTable(NodeTable):
    """`[[field]]`."""

    note: str | None = None
    subfield: list[SubfieldTable] = []


class PriceTable(Table):
    """Dollars per million tokens."""

    input: Dollars | None = None
    output: Dollars | None = None
    cached_input: Dollars | None = None


class DeploymentTable(Table):
    """`[deployment.NAME]`."""

    model: Text | None = None
    revision: Text | None = None
    route: Text | None = None
    api_base: Annotated[list[Url], Field(min_length=1), BeforeValidator(_several)] | None = None
    key_env: Variable | None = None
    rpm: Positive | None = None
    tpm: Positive | None = None
    max_parallel_requests: Positive | None = None
    timeout: Seconds | None = None
    first_byte_timeout: Seconds | None = None
    context: Positive | None = None
    structured: Structured | None = None
    usd_per_million: PriceTable | None = None
    extra: dict[str, Any] = {}


class DatasetTable(Table):
    """`[dataset]`."""

    name: Text | None = None
    seed: Seed = 0
    language: Language = "en"
    prompts: FilePath | None = None
    include: list[FilePath] = []


class BudgetTable(Table):
    """`[budget]`."""

    usd: Dollars | None = None
    tokens: Tokens | None = None


class AutomationTable(Table):
    """`[automation]`."""

    paid: bool = False


class StoreTable(Table):
    """`[store]`."""

    path: FilePath | None = None


class DedupTable(Table):
    """`[dedup]`."""

    threshold: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    ngram: Annotated[int, Field(ge=1, le=100)] | None = None
    num_perm: Annotated[int, Field(ge=1, le=4096)] | None = None
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] | None = None
    bands: Annotated[int, Field(ge=1, le=4096)] | None = None
    rows: Annotated[int, Field(ge=1, le=4096)] | None = None
    rate: Annotated[list[Share], Field(min_length=2, max_length=2), AfterValidator(_in_order)] | None = None
    over: Literal["questions", "answers", "both"] | None = None
    across: bool | None = None


class RuleTable(Table):
    """One entry of `rules`."""

    ngram: Annotated[int, Field(ge=1, le=100)]
    share: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.0


class BenchmarkTable(Table):
    """`[decontaminate.NAME]`."""

    path: FilePath | None = None
    columns: Annotated[list[Text], Field(min_length=1)] | None = None
    id: Text | None = None
    split: Text | None = None
    rules: Annotated[list[RuleTable], Field(min_length=1)] | None = None


class DecontaminateTable(Table):
    """`[decontaminate]`: sets known by name, and a table for each that is not, or has settings of its own."""

    model_config = ConfigDict(extra="allow", strict=True)
    __pydantic_extra__: dict[str, BenchmarkTable] = Field(init=False)

    folder: FilePath | None = None
    sets: list[Text] = []


class FieldsFile(Table):
    """An included file: fields alone."""

    field: list[FieldTable] = []


class TaxonomyFile(FieldsFile):
    """The taxonomy file itself."""

    dataset: DatasetTable = DatasetTable()
    budget: BudgetTable = BudgetTable()
    automation: AutomationTable = AutomationTable()
    store: StoreTable = StoreTable()
    deployment: dict[str, DeploymentTable] = {}
    defaults: Overrides = Overrides()
    stage: StagesTable = StagesTable()
    dedup: DedupTable = DedupTable()
    decontaminate: DecontaminateTable = DecontaminateTable()
