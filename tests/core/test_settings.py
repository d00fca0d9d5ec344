"""Resolution of a taxonomy: inheritance, defaults, slugs, the hash. Laws first."""

from __future__ import annotations

import random
import re
import tomllib
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.plan import recipe_hashes
from gland_assets.core.project import LOCAL_MODEL, STAGES, Deployment, Price
from gland_assets.core.slugs import derive_slug
from tests.core.declaring import HOME, TREE, faults_of, resolve, settings_of

DEPLOYMENTS = '[deployment.a]\nmodel = "m-a"\n[deployment.b]\nmodel = "m-b"\n[deployment.c]\nmodel = "m-c"\n'
MODELS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True)
RANGES = st.tuples(st.integers(1, 50), st.integers(0, 50)).map(lambda pair: [pair[0], sum(pair)])
STAGE_SAID = st.fixed_dictionaries(
    {}, optional={"models": MODELS, "temperature": st.floats(0, 2), "top_p": st.floats(0.01, 1), "max_tokens": st.integers(1, 9000)}
)
SAID = st.fixed_dictionaries(
    {},
    optional={
        "pairs": st.integers(0, 10**6), "seed": st.integers(0, 2**63 - 1), "models": MODELS, "subject_queries": st.integers(1, 99),
        "subjects": RANGES, "sessions": RANGES, "stage": st.dictionaries(st.sampled_from(STAGES), STAGE_SAID),
    },
)  # fmt: skip


def written(value: Any) -> str:
    """A value as TOML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {written(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def nested(nodes: list[dict[str, Any]]) -> str:
    """A file whose one discipline stands under `nodes`: [defaults], field, subfield and the discipline itself."""
    top, field, subfield = ("".join(f"{key} = {written(value)}\n" for key, value in node.items()) for node in nodes[:3])
    entry = written({"name": "D", **nodes[3]})
    return (
        f'{DEPLOYMENTS}[defaults]\n{top}[[field]]\nname = "F"\n{field}[[field.subfield]]\nname = "S"\n{subfield}disciplines = [{entry}]\n'
    )


@given(st.lists(SAID, min_size=4, max_size=4))
def test_the_nearest_override_wins(nodes: list[dict[str, Any]]) -> None:
    nodes[0].setdefault("models", ["a"])
    found = settings_of(nested(nodes))
    for key in ("pairs", "seed", "subject_queries", "subjects", "sessions"):
        said = [node[key] for node in reversed(nodes) if key in node]
        if said:
            value = getattr(found, key)
            assert (list(value) if isinstance(value, tuple) else value) == said[0]
    for stage in STAGES:
        tables = [node.get("stage", {}).get(stage, {}) for node in reversed(nodes)]
        for key in ("temperature", "top_p", "max_tokens"):
            said = [table[key] for table in tables if key in table]
            if said:
                assert getattr(found.stages[stage], key) == said[0]
        models = [table.get("models") or node.get("models") for table, node in zip(tables, reversed(nodes), strict=True)]
        assert list(found.stages[stage].models) == next(filter(None, models))


@given(st.lists(SAID, min_size=4, max_size=4), st.randoms(use_true_random=False))
def test_the_hash_looks_at_content_alone(nodes: list[dict[str, Any]], rng: random.Random) -> None:
    nodes[0].setdefault("models", ["a"])

    def shuffled(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        keys = sorted(value)
        rng.shuffle(keys)
        return {key: shuffled(value[key]) for key in keys}

    text = nested(nodes)
    assert resolve("# another comment\n" + nested([shuffled(node) for node in nodes])).taxonomy_hash == resolve(text).taxonomy_hash


@pytest.mark.parametrize(
    ("old", "new"),
    [("Sourdough", "Sourdoughs"), ('"Sourdough"', '{name = "Sourdough", pairs = 100}'), ('"Crafts"', '"Crafts"\nnote = "n"')],
)
def test_the_hash_moves_with_the_content(old: str, new: str) -> None:
    assert resolve(TREE.replace(old, new)).taxonomy_hash != resolve(TREE).taxonomy_hash


def test_the_hash_does_not_ask_which_file_a_field_stands_in() -> None:
    other = TREE.replace("Crafts", "Arts").replace("Baking", "Painting").replace("Sourdough", "Fresco")
    assert resolve(TREE, arts=other).taxonomy_hash == resolve(TREE + other).taxonomy_hash


@given(st.text(max_size=200))
def test_a_derived_slug_is_in_shape_or_empty_and_stays(name: str) -> None:
    slug = derive_slug(name)
    assert slug == "" or re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,78}[a-z0-9])?", slug)
    assert derive_slug(slug) == slug


@pytest.mark.parametrize(
    ("name", "slug"), [("Café, thé & Cie.", "cafe-the-cie"), ("  C++ ", "c"), ("Straße 7", "strasse-7"), ("文学", ""), ("x" * 90, "x" * 80)]
)
def test_slugs_of_names(name: str, slug: str) -> None:
    assert derive_slug(name) == slug


def test_without_a_deployment_the_local_model_answers_briefly() -> None:
    project = resolve(TREE)
    local = project.deployments["local"]
    assert list(project.deployments) == ["local"] and local.local
    assert (local.context, local.max_parallel_requests, local.structured) == (2048, 1, "json_schema")
    assert local.price == Price(Decimal(0), Decimal(0), Decimal(0))
    stages = next(project.disciplines()).settings.stages
    assert {stage: asked.max_tokens for stage, asked in stages.items()} == {
        "subjects": 400, "syllabi": 500, "questions": 160, "answers": 300,
    }  # fmt: skip
    assert {asked.models for asked in stages.values()} == {("local",)}


def test_the_local_model_may_be_declared_too() -> None:
    project = resolve(f'[deployment.mine]\nmodel = "{LOCAL_MODEL}"\n{TREE}')
    assert project.deployments["mine"] == Deployment(
        "mine", LOCAL_MODEL, context=2048, max_parallel_requests=1, price=Price(*[Decimal(0)] * 3)
    )
    assert next(project.disciplines()).settings.stages["answers"].max_tokens == 300


def test_the_only_deployment_needs_no_naming() -> None:
    found = settings_of('[deployment.one]\nmodel = "m"\n' + TREE)
    assert {asked.models for asked in found.stages.values()} == {("one",)}
    assert (found.pairs, found.subject_queries, found.subjects, found.sessions, found.seed) == (100, 10, (10, 30), (10, 30), 0)
    assert [(s.temperature, s.top_p, s.max_tokens) for s in (found.stages[stage] for stage in STAGES)] == [
        (1.0, 0.95, 2048), (1.0, 0.95, 4096), (1.0, 0.95, 1024), (0.7, 0.95, 2048),
    ]  # fmt: skip


def test_several_deployments_need_naming_only_where_no_stage_does() -> None:
    (fault,) = faults_of(DEPLOYMENTS + "[stage.answers]\nmodels = ['a']\n" + TREE)
    assert "none is named for subjects, syllabi, questions" in fault.what and 'models = ["a", "b", "c"]' in fault.fix
    stages = "".join(f"[stage.{stage}]\nmodels = ['b', 'a']\n" for stage in STAGES)
    assert settings_of(DEPLOYMENTS + stages + TREE).stages["syllabi"].models == ("b", "a")


def test_a_startup_with_two_routes_to_one_model() -> None:
    project = resolve("""
[dataset]
name = "tutor"
seed = 7
[budget]
usd = 0.1
[deployment.gpt]
model = "gpt-4o"
key_env = "OPENAI_API_KEY"
rpm = 5000
[deployment.azure]
model = "gpt-4o"
route = "azure/prod"
api_base = "https://example.openai.azure.com"
[deployment.haiku]
model = "anthropic/claude-haiku"
usd_per_million = { input = 1.0, output = 5, cached_input = 0.1 }
[defaults]
models = ["gpt", "azure"]
pairs = 300
[stage.answers]
models = ["haiku", "gpt"]
[decontaminate.gsm8k]
path = "bench/test.jsonl"
columns = ["question"]
[[field]]
name = "Formal sciences"
  [[field.subfield]]
  name = "Mathematics and statistics"
  pairs = 1000
  stage.answers.models = ["gpt"]
  disciplines = ["Mathematics", { name = "Statistics", pairs = 2_000, seed = 8, title = "Stats", sources = ["x"] }]
""")
    mathematics, statistics = project.disciplines()
    assert (mathematics.settings.pairs, mathematics.settings.seed) == (1000, 7)
    assert (statistics.settings.pairs, statistics.settings.seed) == (2000, 8)
    assert (statistics.title, statistics.sources, statistics.position) == ("Stats", ("x",), 1)
    assert mathematics.settings.stages["answers"].models == ("gpt",)
    assert mathematics.settings.stages["questions"].models == ("gpt", "azure")
    assert project.preferred(statistics, "subjects").identity == project.deployments["azure"].identity == "gpt-4o"
    assert project.deployments["azure"].api_base == ("https://example.openai.azure.com",)
    assert project.deployments["haiku"].price == Price(Decimal("1.0"), Decimal("5.0"), Decimal("0.1"))
    assert (project.budget.usd, project.budget.tokens) == (Decimal("0.1"), None)
    assert project.decontaminate[0].path == str(HOME / "bench/test.jsonl")
    assert [path.slug for path in project.path_of("statistics")] == ["formal-sciences", "mathematics-and-statistics", "statistics"]


def test_a_lab_with_weights_under_an_old_name() -> None:
    project = resolve(
        """
[store]
path = "shared/responses.sqlite"
[deployment.big]
model = "hosted_vllm/big"
api_base = ["http://n1:8000/v1", "http://n2:8000/v1"]
revision = "ckpt-1200"
context = 32_768
structured = "json_object"
timeout = 300
first_byte_timeout = 20
extra = { top_k = 20, chat_template_kwargs = { enable_thinking = false } }
[dedup]
threshold = 0.8
""",
        medicine='[[field]]\nname = "Medicine"\n[[field.subfield]]\nname = "Clinical"\ndisciplines = [{slug = "m-e", name = "Ethics"}]',
    )
    big = project.deployments["big"]
    assert big.identity == "hosted_vllm/big@ckpt-1200"
    assert big.first_byte_timeout == 20
    assert (big.api_base, big.timeout, big.structured) == (("http://n1:8000/v1", "http://n2:8000/v1"), 300.0, "json_object")
    assert big.extra == {"top_k": 20, "chat_template_kwargs": {"enable_thinking": False}}
    assert (project.store_path, project.dedup.threshold, project.name) == (HOME / "shared/responses.sqlite", 0.8, "crafts")
    assert [d.slug for d in project.disciplines()] == ["m-e"]


def test_positions_run_over_all_files_and_lines_are_those_of_the_file() -> None:
    project = resolve(TREE, arts='\n[[field]]\nname = "Arts"\n[[field.subfield]]\nname = "Paint"\ndisciplines = [\n"Fresco",\n"Oil"]\n')
    assert [(d.position, d.line) for d in project.disciplines()] == [(0, 5), (1, 7), (2, 8)]
    assert [top.position for top in project.fields] == [0, 1]
    assert [sub.position for top in project.fields for sub in top.subfields] == [0, 1]


def test_what_starts_by_itself_is_declared_and_shapes_nothing() -> None:
    off, on = resolve(TREE), resolve(TREE + "[automation]\npaid = true\n")
    assert (off.automation.paid, resolve("[automation]\n" + TREE).automation.paid, on.automation.paid) == (False, False, True)
    assert replace(on, automation=off.automation) == off  # the hash of the taxonomy is the same too
    assert recipe_hashes(on, {}) == recipe_hashes(off, {})
    assert [(fault.line, str(fault).split(": ", 1)[1]) for fault in faults_of("[automation]\npaid = 1\npayed = true\n" + TREE)] == [
        (2, "[automation]: `paid` is a whole number, not true or false; write true or false, without quotes"),
        (3, "[automation]: unknown key 'payed'; did you mean 'paid'?"),
    ]


def test_a_stage_said_in_defaults_is_as_good_as_in_stage() -> None:
    assert settings_of("[defaults.stage.answers]\ntop_p = 0.5\n[stage.answers]\nmax_tokens = 9\n" + TREE).stages["answers"].top_p == 0.5


def test_the_writer_of_these_tests_writes_toml() -> None:
    value = {"a": [1, 0.5], "b": {"c": "d"}, "e": {}}
    assert tomllib.loads(f"v = {written(value)}")["v"] == value
