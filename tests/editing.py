"""A small project to edit: built once against the test server, copied for each round of edits, and what there is to see of it."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb

from gland_assets.core.levels import PARTITIONED
from gland_assets.core.project import STAGES, Discipline
from gland_assets.io.project import load_project
from tests.cli.running import gland, gland_alone
from tests.server import ModelServer

KEY = {"SMALL_KEY": "sk-edits"}
TAXONOMY = """[dataset]
name = "edits"
prompts = "prompts/"
[deployment.large]
model = "openai/large-1"
api_base = "{url}"
key_env = "SMALL_KEY"
max_parallel_requests = 8
usd_per_million = {{ input = 1.0, output = 2.0 }}
[deployment.small]
model = "openai/small-1"
api_base = "{url}"
key_env = "SMALL_KEY"
usd_per_million = {{ input = 0.5, output = 1.0 }}
[deployment.spare]
model = "openai/spare-1"
api_base = "{url}"
key_env = "SMALL_KEY"
usd_per_million = {{ input = 1.0, output = 2.0 }}
[defaults]
models = ["large", "spare"]
pairs = 12
subject_queries = 2
subjects = [2, 3]
sessions = [2, 3]
[stage.answers]
models = ["small", "large", "spare"]
[[field]]
name = "Formal sciences"
  [[field.subfield]]
  name = "Reasoning"
  disciplines = [
    "Logic",
    {{ name = "Statistics", pairs = 8 }},
  ]
[[field]]
name = "Arts"
  [[field.subfield]]
  name = "Sound"
  disciplines = [  # of sound
    "Music",
  ]  # of sound
"""
SLUGS = ("logic", "statistics", "music")
PROMPTS = {  # the brackets tell which discipline a request is for; each shows what the packaged one shows
    "subjects.ask.txt": "Subjects of [{discipline}], {least} to {most}, in {language}.",
    "subjects.extract.txt": "The subjects of [{discipline}] as JSON, {least} to {most}.",
    "syllabi.ask.txt": "Syllabus for [{discipline}]: {subject}, {level}, {subtopics}; {least} to {most} sessions, in {language}.",
    "syllabi.extract.txt": "The syllabus of {subject} for [{discipline}] as JSON, {least} to {most} sessions.",
    "questions.one_session.txt": "Question for [{discipline}] on one session, in {language}.\n{syllabus}\n{sessions}\n{concepts}",
    "questions.two_sessions.txt": "Question for [{discipline}] on two sessions, in {language}.\n{syllabus}\n{sessions}\n{concepts}",
}  # the packaged answers.txt shows nothing but the question
STAGE_OF = {"Subjects": "subjects", "Syllabus": "syllabi", "Question": "questions"}
Row = tuple[Any, ...]
Asked = Counter[tuple[str, str]]
"""(stage, discipline) -> requests that arrived at the server."""


def declare(folder: Path, url: str) -> Path:
    """The project's files, with the server at `url`."""
    (folder / "prompts").mkdir(parents=True)
    (folder / "taxonomy.toml").write_text(TAXONOMY.format(url=url))
    for name, text in PROMPTS.items():
        (folder / "prompts" / name).write_text(text)
    return folder


def build(folder: Path, env: Mapping[str, str] | None = None) -> str:
    """`gland build` as a process of its own, to a good end; what it said."""
    done = gland_alone(folder, "build", "--yes", "--workers", "1", env={**KEY, **(env or {})})
    assert done.code == 0, done.out + done.err
    return done.out


def plan(folder: Path, *slugs: str, env: Mapping[str, str] | None = None) -> Any:
    """`gland plan --json`; as a process of its own where it needs another environment."""
    only = [word for slug in slugs for word in ("-d", slug)]
    done = gland_alone(folder, "plan", "--json", *only, env=env) if env else gland(folder, "plan", "--json", *only)
    assert done.code == 0, done.out + done.err
    return done.json


def late(planned: Any) -> dict[str, dict[str, str]]:
    """Discipline -> level -> `stale: setting old → new`, or another state, for all that is not fresh."""
    found: dict[str, dict[str, str]] = {}
    for part in planned["partitions"]:
        own = [reason for reason in part["because"] if not reason.endswith("are out of date")]
        if part["state"] != "fresh":
            found.setdefault(part["discipline"], {})[part["asset"]] = part["state"] + (
                f": {'; '.join(own)}" if part["state"] == "stale" else ""
            )
    return found


def foreseen(folder: Path, slugs: Sequence[str], env: Mapping[str, str] | None = None) -> Asked:
    """New calls that `gland plan` foresees, by stage and discipline."""
    stages = {slug: plan(folder, slug, env=env)["by_stage"] for slug in slugs}
    return Counter({(stage, slug): stages[slug].get(stage, {"calls": 0})["calls"] for slug in slugs for stage in STAGES})


@dataclass(frozen=True)
class Seen:
    """What stands in a project's folder."""

    folder: Path

    @cached_property
    def dataset(self) -> dict[str, dict[str, Row]]:
        """Discipline -> id -> row of the dataset, field and subfield left out."""
        found: dict[str, dict[str, Row]] = {}
        for identity, slug, *row in self.query("select id, discipline, * exclude (id, discipline, field, subfield) from dataset"):
            found.setdefault(slug, {})[identity] = tuple(row)
        return found

    @cached_property
    def above(self) -> set[Row]:
        """(discipline, subfield, field) of the dataset's rows."""
        return set(self.query("select distinct discipline, subfield, field from dataset"))

    @cached_property
    def subjects(self) -> dict[str, dict[str, str]]:
        """Discipline -> subject id -> its name."""
        found: dict[str, dict[str, str]] = {}
        for slug, identity, name in self.query("select discipline, subject_id, name from subjects order by subject_id"):
            found.setdefault(slug, {})[identity] = name
        return found

    @cached_property
    def questions(self) -> dict[str, tuple[str, str, str, str]]:
        """Question id -> discipline, subject id, strategy, text."""
        return {row[0]: row[1:] for row in self.query("select question_id, discipline, subject_id, strategy, text from questions")}

    @cached_property
    def files(self) -> dict[tuple[str, str], bytes]:
        """(discipline, level) -> the partition's file."""
        found = {}
        for level in PARTITIONED:
            for path in (self.folder / "warehouse" / level).glob("[!_]*.parquet"):
                found[path.stem, level] = path.read_bytes()
        return found

    @cached_property
    def declared(self) -> tuple[Discipline, ...]:
        """The disciplines of the taxonomy file as it was at the first look."""
        return tuple(load_project(self.folder / "taxonomy.toml").disciplines())

    def query(self, sql: str) -> list[Row]:
        """Rows of gland.duckdb."""
        with duckdb.connect(str(self.folder / "warehouse" / "gland.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()


def bodies(server: ModelServer) -> list[str]:
    """What arrived at the server, a text a request."""
    return [json.dumps(entry["body"], sort_keys=True) for entry in server.log]


def arrived(server: ModelServer, *seen: Seen) -> Asked:
    """Requests that arrived at the server, by the stage and the discipline that their text tells; an answer's is the question itself."""
    names = {discipline.name: discipline.slug for each in seen for discipline in each.declared}
    texts = {text: slug for each in seen for slug, _, _, text in each.questions.values()}
    found: Asked = Counter()
    for entry in server.log:
        first = str(entry["body"]["messages"][0]["content"])
        stage = next((stage for word, stage in STAGE_OF.items() if re.match(rf"{word} \w+ \[", first)), None)
        found[("answers", texts[first]) if stage is None else (stage, names[first[first.index("[") + 1 : first.index("]")]])] += 1
    return found


@dataclass(frozen=True)
class Base:
    """The project as built once, and the bodies that took."""

    seen: Seen
    bodies: frozenset[str]
    url: str  # of the server

    def copy(self, folder: Path) -> Path:
        """A folder of its own with the same project, built."""
        shutil.copytree(self.seen.folder, folder)
        return folder

    def undo(self, folder: Path) -> None:
        """Puts back what the taxonomy file and the prompts of a copy were."""
        for file in ("taxonomy.toml", *(f"prompts/{name}" for name in PROMPTS)):
            shutil.copyfile(self.seen.folder / file, folder / file)


def make_base(folder: Path, server: ModelServer) -> Base:
    """The project, built for real: every request of it asked once."""
    build(declare(folder, server.url))
    base = Base(Seen(folder), frozenset(bodies(server)), server.url)
    assert len(base.bodies) == server.count == server.answered
    assert {slug: len(found) for slug, found in base.seen.dataset.items()} == {"logic": 12, "statistics": 8, "music": 12}
    # What the edits below are to tell apart has to be there.
    strategies = {(slug, strategy) for slug, _, strategy, _ in base.seen.questions.values()}
    assert len(strategies) == 2 * len(SLUGS) and all(len(found) > 2 for found in base.seen.subjects.values())
    return base
