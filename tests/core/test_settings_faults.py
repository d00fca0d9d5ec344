"""Faults of a taxonomy: each with its line, node and way out, all of them at once, and never anything but a fault."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.errors import SettingsError
from tests.core.declaring import TREE, faults_of, resolve

SOUND = """[dataset]
name = "all"
seed = 3
language = "en"

[budget]
usd = 10

[automation]
paid = false

[store]
path = "responses.sqlite"

[deployment.gpt]
model = "gpt-4o"
key_env = "OPENAI_API_KEY"
rpm = 100
timeout = 30
structured = "json_schema"
usd_per_million = { input = 1, output = 2 }
api_base = [
  "https://one",
  "https://two",
]

[deployment.spare]
model = "spare"

[defaults]
models = ["gpt", "spare"]
pairs = 10
subject_queries = 2
subjects = [10, 30]
sessions = [10, 30]

[stage.answers]
models = ["gpt"]
temperature = 0.7
top_p = 0.95
max_tokens = 99

[dedup]
threshold = 0.7
rate = [0, 0.3]

[decontaminate.gsm8k]
path = "gsm8k.jsonl"

[[field]]
name = "Formal"
slug = "formal"
  [[field.subfield]]
  name = "Numbers"
  pairs = 7
  stage.answers.models = ["spare"]
  disciplines = [
    "Algebra",
    { name = "Statistics", seed = 8 },
    { name = "Number theory", sources = [
      "a", "b"] },
    { name = "Sets", stage = { questions = { temperature = 1 } } },
  ]
"""

# What stands on a line, what to write instead, the node, and words of the fault (what is wrong, the way out).
PLANTED = [
    ('name = "all"', 'name = ""', "[dataset]", "`name` is empty"),
    ("seed = 3", "sed = 3", "[dataset]", "unknown key 'sed'; did you mean 'seed'?"),
    ('language = "en"', 'language = "English"', "[dataset]", "ISO 639-1"),
    ("usd = 10", "usd = -0.5", "[budget]", "`usd` is -0.5; give a number of at least 0"),
    ("paid = false", 'paid = "yes"', "[automation]", "`paid` is a text, not true or false; write true or false, without quotes"),
    ('path = "responses.sqlite"', "path = 5", "[store]", "`path` is a whole number, not a text"),
    ('model = "gpt-4o"', "", "deployment 'gpt'", "has no model"),
    ('key_env = "OPENAI_API_KEY"', 'key_env = "sk-abc-123"', "deployment 'gpt'", "the key itself is never stored"),
    ("rpm = 100", "rmp = 100", "deployment 'gpt'", "did you mean 'rpm'?"),
    ("timeout = 30", "timeout = nan", "deployment 'gpt'", "`timeout` is nan"),
    ('structured = "json_schema"', 'structured = "xml"', "deployment 'gpt'", "'json_schema', 'json_object' or 'none'"),
    ("usd_per_million = { input = 1, output = 2 }", "usd_per_million = { input = 1 }", "deployment 'gpt'", "no `output`"),
    ('  "https://two",', '  "ftp://two",', "deployment 'gpt'", "start it with http"),
    ('model = "spare"', 'model = "spare"  # kept\ncontext = 50', "deployment 'spare'", "no room for a prompt"),
    ('models = ["gpt", "spare"]', 'models = ["gtp", "spare"]', "[defaults]", "unknown deployment 'gtp'; did you mean 'gpt'?"),
    ("pairs = 10", "pairs = -10", "[defaults]", "`pairs` is -10"),
    ("subject_queries = 2", "subject_queries = true", "[defaults]", "true or false, not a whole number"),
    ("subjects = [10, 30]", "subjects = [10, 30, 40]", "[defaults]", "give [least, most]"),
    ("sessions = [10, 30]", "sessions = [30, 10]", "[defaults]", "least above its most"),
    ('models = ["gpt"]', 'models = ["gpt", "gpt"]', "[stage.answers]", "stands twice"),
    ("temperature = 0.7", "temperature = 2.1", "[stage.answers]", "`temperature` is 2.1; give a number of at most 2"),
    ("top_p = 0.95", "top_p = 0", "[stage.answers]", "`top_p` is 0; give a number above 0"),
    ("max_tokens = 99", 'max_tokens = "99"', "[stage.answers]", "`max_tokens` is a text, not a whole number"),
    ("threshold = 0.7", "threshold = 1.01", "[dedup]", "`threshold` is 1.01"),
    ("rate = [0, 0.3]", "rate = [0.4, 0.1]", "[dedup]", "`rate` has its least above its most; write it as [least, most]"),
    ('path = "gsm8k.jsonl"', "colums = []", "decontaminate 'gsm8k'", "unknown key 'colums'; did you mean 'columns'?"),
    ('slug = "formal"', 'slug = "Formal!"', "field 'Formal!'", "a-z, 0-9 and hyphen"),
    ("  pairs = 7", "  pears = 7", "subfield 'numbers'", "unknown key 'pears'; did you mean 'pairs'?"),
    ('  stage.answers.models = ["spare"]', '  stage.answrs.models = ["spare"]', "subfield 'numbers'", "unknown stage 'answrs'"),
    ('    "Algebra",', "    7,", "discipline number 1", "holds a whole number, not a name or a table"),
    ('    { name = "Statistics", seed = 8 },', '    { name = "Statistics", seed = -8 },', "discipline 'statistics'", "`seed` is -8"),
    ('      "a", "b"] },', "      'a', 2] },", "discipline 'number-theory'", "`sources` holds a whole number, not a text"),
    (
        '    { name = "Sets", stage = { questions = { temperature = 1 } } },',
        '    { name = "Sets", stage = { questions = { temprature = 1 } } },',
        "discipline 'sets'",
        "unknown key 'temprature' in stage.questions; did you mean 'temperature'?",
    ),
]


def planted(chosen: set[int]) -> tuple[str, set[tuple[int, str, str]]]:
    """SOUND with some faults in it, and what must be found: line, node, words."""
    rows, expected = [], set()
    by_line = {PLANTED[number][0]: PLANTED[number] for number in chosen}
    for row in SOUND.splitlines():
        if row not in by_line:
            rows.append(row)
            continue
        _, instead, node, words = by_line[row]
        rows += instead.split("\n")
        # A missing key is told at its table's header, here the line above.
        expected.add((len(rows) - (instead == ""), node, words))
        if row == 'path = "gsm8k.jsonl"':
            expected.add((len(rows) - 1, node, "has no path"))
    return "\n".join(rows) + "\n", expected


def test_the_sound_one_is_sound_and_holds_every_line_once() -> None:
    assert faults_of(SOUND) == ()
    assert all(SOUND.splitlines().count(old) == 1 for old, *_ in PLANTED)


@given(st.sets(st.sampled_from(range(len(PLANTED)))))
def test_every_planted_fault_is_found_at_its_line_and_no_other(chosen: set[int]) -> None:
    text, expected = planted(chosen)
    faults = list(faults_of(text))
    for line, node, words in expected:
        found = [fault for fault in faults if (fault.line, fault.node) == (line, node) and words in f"{fault.what}; {fault.fix}"]
        assert found, f"{line}: {node}: {words} is not among\n" + "\n".join(map(str, faults))
        faults.remove(found[0])
    # One deployment with too little context is told once for each stage that is too long for it.
    assert [fault for fault in faults if "no room for a prompt" not in fault.what] == []


def test_all_planted_faults_at_once() -> None:
    text, expected = planted(set(range(len(PLANTED))))
    with pytest.raises(SettingsError) as caught:
        resolve(text)
    assert len(caught.value.faults) >= len(expected) == len(PLANTED) + 1
    assert list(caught.value.faults) == sorted(caught.value.faults)
    assert "sk-abc-123" not in str(caught.value)


def cut(text: str, places: list[tuple[int, int, str]]) -> str:
    """`text` with pieces taken out and others put in."""
    for start, length, piece in places:
        start %= len(text) + 1
        text = text[:start] + piece + text[start + length :]
    return text


PIECES = st.sampled_from(
    ["", "[", "]]", "{", "=", "\n", '"', "'''", "#", "-1", "[[field]]\n", "[stage]\n", "\\u0000", ".", "1979-05-27", "é"]
)


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 60), PIECES), max_size=4))
def test_whatever_is_written_gives_a_project_or_faults_with_places(places: list[tuple[int, int, str]]) -> None:
    text = cut(SOUND, places)
    for fault in faults_of(text):
        assert 0 <= fault.line <= text.count("\n") + 1
        assert fault.node and fault.what and fault.fix


A_BASE = "[deployment.a]\nmodel = 'm'\napi_base = [\n 'https://host/v1?api-version=1',\n "


@pytest.mark.parametrize(
    ("text", "line", "node", "words"),
    [
        ("", 0, "[field]", "no [[field]] is declared"),
        ('[[field]]\nname = "F"\n', 1, "field 'f'", "has no subfield"),
        ('[[field]]\nname = "F"\n[[field.subfield]]\nname = "S"\n', 3, "subfield 's'", "has no discipline"),
        (TREE.replace('"Sourdough"', '"文学"'), 5, "discipline '文学'", "no slug can be derived"),
        (TREE.replace('"Sourdough"', '"A b",\n{name = "C", slug = "a-b"}'), 6, "discipline 'a-b'", "stands already at taxonomy.toml:5"),
        (TREE.replace('"Sourdough"', '{ slug = "x" }'), 5, "discipline 'x'", "has no name"),
        (TREE + "[meta]\nversion = 1\n", 6, "[meta]", "unknown table 'meta'"),
        (TREE + "[defualts]\n", 6, "[defualts]", "did you mean 'defaults'?"),
        ("[stage.answer]\ntop_p = 1\n" + TREE, 1, "[stage.answer]", "did you mean 'answers'?"),
        ("[dedup]\nbands = 19\n" + TREE, 1, "[dedup]", "need 76 permutations"),
        ("[deployment.a]\nmodel = 'm'\napi_key = 'x'\n" + TREE, 3, "deployment 'a'", "name the environment variable in `key_env`"),
        ("[deployment.a]\nmodel = 'm'\nextra.'API-Key' = 'x'\n" + TREE, 3, "deployment 'a'", "would store a key"),
        (
            A_BASE + "'http://one', 'http://me:word@two']\n" + TREE,
            5,
            "deployment 'a'",
            "would store a password or a key; take it out, and name",
        ),
        (A_BASE + "'http://[one/v1']\n" + TREE, 5, "deployment 'a'", "`api_base` is not a URL"),
        ("[deployment.a]\nmodel = 'm'\nextra.at = 2020-01-01\n" + TREE, 3, "deployment 'a'", "JSON cannot carry"),
        ("[deployment.'a b']\nmodel = 'm'\n" + TREE, 1, "deployment 'a b'", "is out of shape"),
        ("[decontaminate.'']\npath = 'm'\ncolumns = ['q']\n" + TREE, 1, "decontaminate ''", "is out of shape"),
        ("[decontaminate.a]\ncolumns = ['q']\n" + TREE, 1, "decontaminate 'a'", "has no path; add path"),
        ("[decontaminate.a]\npath = 'a.jsonl'\n" + TREE, 1, "decontaminate 'a'", "has no columns; add columns"),
        ("[decontaminate]\nsets = ['gsm8k']\n" + TREE, 2, "[decontaminate]", "`sets` has no folder to look in"),
        (
            "[decontaminate]\nfolder = 'b'\nsets = ['gsm8']\n" + TREE,
            3,
            "[decontaminate]",
            "no set named 'gsm8' is known; did you mean 'gsm8k'?",
        ),
        ("[decontaminate]\nfodler = 'b'\n" + TREE, 2, "decontaminate 'fodler'", "is a text, not a table"),
        ("[decontaminate.a]\npath = 'a'\ncolumns = ['a[].b', 'c[]']\n" + TREE, 3, "decontaminate 'a'", "stands for more than one list"),
        ("[decontaminate.a]\npath = 'a'\ncolumns = ['q']\nrules = 'all'\n" + TREE, 4, "decontaminate 'a'", "`rules` is a text, not a list"),
        ("[decontaminate.mmlu]\npath = 'a'\nsplit = 'dev'\n" + TREE, 3, "decontaminate 'mmlu'", "its test split is read"),
        ("[deployment]\nmodel = 'm'\n" + TREE, 2, "deployment 'model'", "is a text, not a table"),
        ("[field]\nname = 'x'\n", 1, "[field]", "write [[field]]"),
        ("[[field]]\nname = 'x'\n[field.subfield]\nname = 'y'\n", 3, "field 'x'", "write [[field.subfield]]"),
        ("[defaults]\nstage.answers.top_p = 1\n[stage.answers]\ntop_p = 1\n" + TREE, 2, "[defaults]", "keep one of them"),
        ("[defaults]\nmodels = []\n" + TREE, 2, "[defaults]", "at least one item"),
        ("[dataset]\nname = 'a'\nname = 'b'\n" + TREE, 3, "the file", "not TOML: Cannot overwrite a value"),
        ("[dataset\n", 1, "the file", "not TOML"),
        ('a = """\n\n', 2, "the file", "not TOML"),
        ("a = " + "[" * 5000, 0, "the file", "nested too deeply"),
    ],
)
def test_one_fault_alone(text: str, line: int, node: str, words: str) -> None:
    (fault,) = faults_of(text)
    assert (fault.file, fault.line, fault.node) == ("taxonomy.toml", line, node)
    assert words in f"{fault.what}; {fault.fix}"


def test_a_field_in_two_files_is_a_fault_that_names_both() -> None:
    other = "\n" + TREE.replace("Baking", "Weaving").replace("Sourdough", "Twill")
    (fault,) = faults_of(TREE, more=other)
    assert str(fault) == (
        "more.toml:3: field 'crafts': the field slug 'crafts' stands already at taxonomy.toml:2; rename one, or give one another slug"
    )


def test_an_included_file_holds_fields_alone() -> None:
    (fault,) = faults_of(TREE, more="[dataset]\nname = 'x'\n")
    assert (fault.file, fault.line) == ("more.toml", 1) and "only [[field]]" in fault.fix


def test_what_follows_from_a_fault_is_not_told_as_another() -> None:
    (fault,) = faults_of("[deployment]\ngpt = 5\nspare = {model = 'm'}\n[defaults]\nmodels = ['gpt', 'spare']\n" + TREE)
    assert (fault.line, fault.node) == (2, "deployment 'gpt'")


LOCAL = '[deployment.small]\nmodel = "gland-local/smollm2-135m-instruct"\n[deployment.gpt]\nmodel = "gpt-4o"\n'


@pytest.mark.parametrize("language", ["en", "en-GB", "fr", "zh-Hant"])
@pytest.mark.parametrize(
    ("deployments", "asked"),
    [("", True), (LOCAL + '[defaults]\nmodels = ["gpt", "small"]\n', True), (LOCAL + '[defaults]\nmodels = ["gpt"]\n', False)],
)
def test_the_bundled_model_is_asked_for_no_language_but_english(language: str, deployments: str, asked: bool) -> None:
    text = f'[dataset]\nlanguage = "{language}"\n{deployments}{TREE}'
    found = tuple(fault for fault in faults_of(text) if fault.node == "[dataset]")
    if not asked or language.startswith("en"):
        assert found == ()
    else:
        [fault] = found
        assert fault.line == 2
        assert f"English alone, and `language` is '{language}'" in fault.what and "declare a [deployment.NAME]" in fault.fix
