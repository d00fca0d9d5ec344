"""The edits of docs/edits.md on the project of tests/editing.py, and what each must lead to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gland_assets.core.levels import PARTITIONED
from tests.editing import SLUGS, Seen

Calls = Callable[[Seen, Seen, str], int]
"""Requests of one stage for one discipline, from what stood before and what stands afterwards."""
TAXONOMY = "taxonomy.toml"


@dataclass(frozen=True)
class Edit:
    """An edit that puts something out of date."""

    row: str  # of the table in docs/edits.md
    change: Mapping[str, str]  # texts of the file and what takes their place
    late: Mapping[str, Mapping[str, str]]  # discipline -> level -> its state in the plan, and the settings that it names
    asked: Mapping[str, Mapping[str, int | Calls]] = field(default_factory=dict)  # discipline -> stage -> requests
    guessed: tuple[str, ...] = ()  # stages whose requests nobody can count before the build
    below: Mapping[str, int] = field(default_factory=dict)  # stage -> calls that even a guess stays below
    stand: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # discipline -> levels that waited, and were not made after all
    file: str = TAXONOMY


@dataclass(frozen=True)
class Round:
    """Edits that are built together."""

    edits: tuple[Edit, ...]
    pairs: Mapping[str, int]  # discipline -> rows of the dataset afterwards
    alike: tuple[tuple[str, str, str], ...] = ()  # what the model takes for what, but for requests with the third in them
    other_weights: str = ""  # in the requests to a model that is another one under its old name: those are asked again as they were
    orphans: tuple[str, ...] = ()
    later_code: bool = False  # that makes questions another way
    undone: bool = False  # afterwards, and built once more


def at(level: str, reason: str) -> dict[str, str]:
    """`level` stale for a reason, and all below it waiting."""
    below = ("contamination",) if level == "answers" else PARTITIONED[PARTITIONED.index(level) + 1 :]
    return {level: f"stale: {reason}", **dict.fromkeys(below, "waiting")}


def down_to_questions(reason: str) -> dict[str, str]:
    """Subjects, syllabi and questions stale for one reason, and all below waiting."""
    return at("subjects", reason) | dict.fromkeys(("syllabi", "questions"), f"stale: {reason}")


def each_subject(calls: int) -> Calls:
    """So many calls for each subject."""
    return lambda was, now, slug: calls * len(now.subjects[slug])


def each_new_subject(calls: int) -> Calls:
    """So many calls for each subject that was not there before."""
    return lambda was, now, slug: calls * len(now.subjects[slug].keys() - was.subjects.get(slug, {}).keys())


def dealt_to_new_subjects(was: Seen, now: Seen, slug: str) -> int:
    """Questions of subjects that were not there before."""
    return sum(of == slug and subject not in was.subjects[slug] for of, subject, _, _ in now.questions.values())


def dealt_to_first_subject(was: Seen, now: Seen, slug: str) -> int:
    """Questions of the first subject by id."""
    return sum(subject == min(was.subjects[slug]) for _, subject, _, _ in now.questions.values())


def on_two_sessions(was: Seen, now: Seen, slug: str) -> int:
    """Questions on two sessions."""
    return sum(of == slug and strategy == "two_sessions" for of, _, strategy, _ in was.questions.values())


def anew(pairs: int = 12) -> dict[str, int | Calls]:
    """A whole discipline of two queries."""
    return {"subjects": 4, "syllabi": each_new_subject(2), "questions": pairs, "answers": pairs}


BELOW_SUBJECTS = ("syllabi", "questions", "answers")  # while subjects are to come, nobody knows how many
LOGIC, STATISTICS, MUSIC = '"Logic"', "pairs = 8 }", '"Music"'
ROUNDS = {
    "settings of disciplines": Round(
        (
            Edit("`pairs` lowered", {LOGIC: '{ name = "Logic", pairs = 9 }'}, {"logic": at("questions", "pairs 12 → 9")}),
            Edit(
                "`pairs` raised",
                {STATISTICS: "pairs = 10 }"},
                {"statistics": at("questions", "pairs 8 → 10")},
                {"statistics": {"questions": 2, "answers": 2}},
            ),
            Edit(
                "`subject_queries` raised",
                {MUSIC: '{ name = "Music", subject_queries = 3 }'},
                {"music": at("subjects", "subject_queries 2 → 3")},
                {
                    "music": {
                        "subjects": 2,
                        "syllabi": each_new_subject(2),
                        "questions": dealt_to_new_subjects,
                        "answers": dealt_to_new_subjects,
                    }
                },
                guessed=BELOW_SUBJECTS,
                below={"syllabi": 10, "questions": 7, "answers": 7},
            ),
        ),
        {"logic": 9, "statistics": 10, "music": 12},
        undone=True,
    ),
    "settings of the nodes above": Round(
        (
            Edit(
                "a setting of a field or subfield",  # statistics has its own pairs
                {'name = "Reasoning"': 'name = "Reasoning"\n  pairs = 13'},
                {"logic": at("questions", "pairs 12 → 13")},
                {"logic": {"questions": 1, "answers": 1}},
            ),
            Edit(
                "a setting of a field or subfield",
                {'name = "Arts"': 'name = "Arts"\nstage.questions.top_p = 0.5'},
                {"music": at("questions", "top_p 0.95 → 0.5")},
                {"music": {"questions": 12, "answers": 12}},
            ),
            Edit(
                "`temperature`, `top_p` or `max_tokens` of a stage",
                {STATISTICS: "pairs = 8, stage.answers.temperature = 0.2 }"},
                {"statistics": at("answers", "temperature 0.7 → 0.2")},
                {"statistics": {"answers": 8}},
            ),
        ),
        {"logic": 13, "statistics": 8, "music": 12},
    ),
    "nodes": Round(
        (
            Edit(
                "a discipline added",
                {"  ]  # of sound": '    "Poetry",\n  ]  # of sound'},
                {"poetry": dict.fromkeys(PARTITIONED, "missing")},
                {"poetry": anew()},
                guessed=BELOW_SUBJECTS,
            ),
            Edit(
                "a discipline moved to another subfield",
                {'    { name = "Statistics", pairs = 8 },\n': "", "[  # of sound": '[\n    { name = "Statistics", pairs = 8 },'},
                {
                    "statistics": {
                        "fields": "stale: field formal-sciences → arts; name Formal sciences → Arts",
                        "subfields": "stale: field formal-sciences → arts; name Reasoning → Sound; subfield reasoning → sound",
                        "disciplines": "stale: subfield reasoning → sound",
                    }
                },
            ),
            Edit(
                "a discipline's `name`, its slug kept",
                {MUSIC: '{ name = "Music theory", slug = "music" }'},
                {
                    "music": {"disciplines": "stale: name Music → Music theory"}
                    | down_to_questions("discipline Music → Music theory")
                    | {"subjects": "stale: discipline Music → Music theory; disciplines changed"}
                },
                {"music": anew()},
                guessed=BELOW_SUBJECTS,
            ),
            Edit(
                "`seed`",
                {LOGIC: '{ name = "Logic", seed = 7 }'},
                {"logic": down_to_questions("seed 0 → 7")},
                {"logic": anew()},
                guessed=BELOW_SUBJECTS,
            ),
        ),
        {"logic": 12, "statistics": 8, "music": 12, "poetry": 12},
    ),
    "a slug, subjects and sessions": Round(
        (
            Edit(
                "a discipline's slug",
                {LOGIC: '{ name = "Logic", slug = "logics" }'},
                {"logics": dict.fromkeys(PARTITIONED, "missing")},
                {"logics": anew()},
                guessed=BELOW_SUBJECTS,
            ),
            Edit(
                "`subjects`",
                {STATISTICS: "pairs = 8, subjects = [3, 4] }"},
                {"statistics": at("subjects", "subjects 2–3 → 3–4")},
                {"statistics": anew(8)},
                guessed=BELOW_SUBJECTS,
            ),
            Edit(
                "`sessions`",
                {MUSIC: '{ name = "Music", sessions = [3, 4] }'},
                {"music": at("syllabi", "sessions 2–3 → 3–4")},
                {"music": {"syllabi": each_subject(2), "questions": 12, "answers": 12}},
            ),
        ),
        {"logics": 12, "statistics": 8, "music": 12},
        orphans=("logic",),
    ),
    "a prompt": Round(
        (
            Edit(
                "a prompt file",
                {"on two sessions,": "on two  sessions,"},
                {slug: at("questions", "prompt questions.two_sessions.txt edited") for slug in SLUGS},
                {slug: dict.fromkeys(("questions", "answers"), on_two_sessions) for slug in SLUGS},
                file="prompts/questions.two_sessions.txt",
            ),
        ),
        {"logic": 12, "statistics": 8, "music": 12},
    ),
    "rows that come out the same": Round(
        (
            Edit(
                "an edit whose rows come out the same",  # those of one subject do not
                {"The syllabus of": "That syllabus of"},
                {slug: at("syllabi", "prompt syllabi.extract.txt edited") for slug in SLUGS},
                {slug: {"syllabi": each_subject(1)} for slug in SLUGS}  # the first turns are in the store
                | {"music": {"syllabi": each_subject(1)} | dict.fromkeys(("questions", "answers"), dealt_to_first_subject)},
                guessed=("questions", "answers"),
                stand=dict.fromkeys(("logic", "statistics"), ("questions", "answers", "signatures", "contamination")),
                file="prompts/syllabi.extract.txt",
            ),
        ),
        {"logic": 12, "statistics": 8, "music": 12},
        alike=(("That syllabus of", "The syllabus of", "That syllabus of {subject} for [Music]"),),
    ),
    "models": Round(
        (
            Edit(
                "`model` or `revision` of a stage's first deployment",
                {'model = "openai/small-1"': 'model = "openai/small-1"\nrevision = "2"'},
                {slug: at("answers", "model openai/small-1 → openai/small-1@2") for slug in SLUGS},
                {"logic": {"answers": 12}, "statistics": {"answers": 8}, "music": {"answers": 12}},
            ),
            Edit(
                "another first deployment of a stage, of another `model`",
                {LOGIC: '{ name = "Logic", stage.questions.models = ["spare", "large"] }'},
                {"logic": at("questions", "model openai/large-1 → openai/spare-1")},
                {"logic": {"questions": 12, "answers": 12}},
            ),
            Edit(
                "an edit whose rows come out the same",
                {MUSIC: '{ name = "Music", stage.subjects.temperature = 0.25 }'},
                {"music": at("subjects", "temperature 1.0 → 0.25")},
                {"music": {"subjects": 4}},
                guessed=BELOW_SUBJECTS,
                stand={"music": ("syllabi", "questions", "signatures")},
            ),
        ),
        {"logic": 12, "statistics": 8, "music": 12},
        alike=(('"temperature": 0.25', '"temperature": 1.0', ""), ('"model": "small-1"', '"model": "small-2"', "")),
        other_weights='"model": "small-1"',
    ),
    "language": Round(
        (
            Edit(
                "`language`",
                {'name = "edits"': 'name = "edits"\nlanguage = "fr"'},
                {slug: down_to_questions("language en → fr") for slug in SLUGS},
                {"logic": anew(), "statistics": anew(8), "music": anew()},
                guessed=BELOW_SUBJECTS,
            ),
            Edit(
                "two edits at once",
                {"[stage.answers]": "[stage.answers]\nmax_tokens = 999"},
                {slug: at("answers", "max_tokens 2048 → 999") for slug in SLUGS},
                {"logic": {"answers": 12}, "statistics": {"answers": 8}, "music": {"answers": 12}},
                guessed=("answers",),
            ),
        ),
        {"logic": 12, "statistics": 8, "music": 12},
    ),
    "what asks no model": Round(
        (
            Edit(
                "code that raises the recipe version of a level",
                {},
                {slug: at("questions", "version 1 → 2") for slug in SLUGS},
                stand=dict.fromkeys(SLUGS, ("answers", "contamination")),
            ),
            Edit(
                "`ngram`, `num_perm`, `seed`, `bands`, `rows` or `over` of `[dedup]`",
                {"[defaults]": "[dedup]\nngram = 4\n[defaults]"},
                {slug: {"signatures": "stale: ngram 3 → 4"} for slug in SLUGS},
            ),
        ),
        {"logic": 12, "statistics": 8, "music": 12},
        later_code=True,
    ),
}

SMALL = 'model = "openai/small-1"\n'
SMALLS_KEY = SMALL + 'api_base = "{url}"\nkey_env = "SMALL_KEY"\n'
FALLBACKS = 'models = ["small", "large", "spare"]'
MORE = """[[field]]
name = "Arts"
  [[field.subfield]]
  name = "Sound"
  disciplines = ["Music"]
"""
"""A file to include, with what the taxonomy file says of the arts."""
ARTS = '[[field]]\nname = "Arts"\n  [[field.subfield]]\n  name = "Sound"\n  disciplines = [  # of sound\n    "Music",\n  ]  # of sound\n'

NOTHING: dict[str, tuple[Mapping[str, str], ...]] = {
    "comments, whitespace, the order of keys, tables and nodes": (
        {"[defaults]\n": "\n# a remark\n[defaults]  # another\n"},
        {"pairs = 12\nsubject_queries = 2\n": "subject_queries=2\n  pairs    = 12\n"},
        {f"[stage.answers]\n{FALLBACKS}\n": "", "[deployment.large]": f"[stage.answers]\n{FALLBACKS}\n[deployment.large]"},
        {f"    {LOGIC},\n": "", "pairs = 8 },\n": f"pairs = 8 }},\n    {LOGIC},\n"},
    ),
    "fields moved to an included file": ({ARTS: "", 'name = "edits"\n': 'name = "edits"\ninclude = ["more.toml"]\n'},),
    "`title`, `sources` or `note` of a node": (
        {LOGIC: '{ name = "Logic", title = "The art of logic", sources = ["isced-f:0541"] }'},
        {'name = "Arts"\n': 'name = "Arts"\nnote = "and crafts"\n'},
    ),
    "a setting written down that was in force already": (
        {MUSIC: '{ name = "Music", pairs = 12, models = ["large"], stage.answers.models = ["small"] }'},
    ),
    "`route`, `api_base` or `key_env` of a deployment": (
        {SMALL: SMALL + 'route = "openai/small-elsewhere"\n'},
        {SMALLS_KEY: SMALL + 'api_base = ["http://127.0.0.1:9/v1", "{url}"]\nkey_env = "SMALL_KEY"\n'},
        {SMALLS_KEY: SMALL + 'api_base = "{url}"\nkey_env = "ANOTHER_KEY"\n'},
    ),
    "`rpm`, `tpm`, `max_parallel_requests`, `timeout` or `first_byte_timeout` of a deployment": (
        {SMALL: SMALL + "rpm = 60\ntpm = 100_000\nmax_parallel_requests = 3\ntimeout = 9.5\nfirst_byte_timeout = 5\n"},
    ),
    "`usd_per_million` of a deployment": ({"input = 0.5, output = 1.0": "input = 5, output = 10"},),
    "`context`, `structured` or `extra` of a deployment": (
        {SMALL: SMALL + 'context = 16_000\nstructured = "none"\nextra = { top_k = 9 }\n'},
    ),
    "a deployment's own name": ({"[deployment.small]": "[deployment.tiny]", FALLBACKS: FALLBACKS.replace("small", "tiny")},),
    "the order of the fallbacks, one added, one taken out": (
        {FALLBACKS: 'models = ["small", "spare", "large"]'},
        {'models = ["large", "spare"]': 'models = ["large", "spare", "small"]'},
        {FALLBACKS: 'models = ["small"]'},
    ),
    "`name` of `[dataset]`, `[budget]`, `[automation]`, `path` of `[store]`, `rate` of `[dedup]`": (
        {'name = "edits"\n': 'name = "edited"\n'},
        {"[defaults]\n": '[budget]\nusd = 3\n[automation]\npaid = true\n[store]\npath = "another.sqlite"\n[defaults]\n'},
        {"[defaults]\n": "[dedup]\nrate = [0, 0.1]\n[defaults]\n"},
    ),
}
"""Row of the table in docs/edits.md -> changes of the taxonomy file, each tried by itself."""
