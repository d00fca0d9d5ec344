"""The published tables: every table and column with its type and meaning. One truth for DDL, views, Dagster and the docs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column: DuckDB type and one line of meaning."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """One published table. `asset` is the level whose partitions hold its rows, None for the tables kept by the ledger."""

    name: str
    meaning: str
    asset: str | None
    columns: tuple[Column, ...]
    key: bool = False  # the first column is declared primary key (small tables only; it doubles the cost of large ones)

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns in order."""
        return tuple(column.name for column in self.columns)


DISCIPLINE = Column("discipline", "text", "slug of the discipline it belongs to")
KEY = Column("request_key", "text", "address of the request that made the row, in requests; null when none was needed")

TREE = (
    Table(
        "fields", "one row a field: the top level of the taxonomy", "fields",
        (
            Column("field", "text", "slug, the field's identity"),
            Column("name", "text", "name as declared"),
            Column("position", "int", "place in declared order, from 0"),
        ),
        key=True,
    ),
    Table(
        "subfields", "one row a subfield: the level between field and discipline", "subfields",
        (
            Column("subfield", "text", "slug, the subfield's identity"),
            Column("field", "text", "slug of the field it stands under"),
            Column("name", "text", "name as declared"),
            Column("position", "int", "place in declared order, from 0"),
        ),
        key=True,
    ),
    Table(
        "disciplines", "one row a discipline of the taxonomy, made or not", "disciplines",
        (
            Column("discipline", "text", "slug, the discipline's identity and partition key"),
            Column("subfield", "text", "slug of the subfield it stands under"),
            Column("name", "text", "name as declared"),
            Column("position", "int", "place in declared order over the whole taxonomy, from 0"),
            Column("state", "text", "missing: nothing made; partial: a level is not made yet; failed_rows: made, some rows failed; built"),
            Column("pairs_wanted", "int", "question-answer pairs asked for, before filters"),
            Column("built_at", "timestamptz", "when its latest question or answer was made; null when it has none"),
        ),
        key=True,
    ),
)  # fmt: skip

CURRICULUM = (
    Table(
        "subjects", "one row a subject generated under a discipline", "subjects",
        (
            Column("subject_id", "text", "hash of what the subject holds"),
            DISCIPLINE,
            Column("name", "text", "name of the subject"),
            Column("level", "text", "whom it is for, as the model said: beginner, advanced …"),
            Column("subtopics", "text[]", "topics within the subject"),
            Column("found_in_queries", "int", "how many of the discipline's subject queries named it"),
            KEY,
        ),
        key=True,
    ),
    Table(
        "syllabi", "one row a syllabus: one a subject", "syllabi",
        (
            Column("syllabus_id", "text", "hash of what the syllabus holds"),
            Column("subject_id", "text", "the subject it teaches"),
            DISCIPLINE,
            Column("introduction", "text", "opening paragraph"),
            Column("session_count", "int", "class sessions it has"),
            KEY,
        ),
        key=True,
    ),
    Table(
        "sessions", "one row a class session of a syllabus", "syllabi",
        (
            Column("session_id", "text", "hash of syllabus and session"),
            Column("syllabus_id", "text", "the syllabus it is part of"),
            Column("subject_id", "text", "the subject of that syllabus"),
            DISCIPLINE,
            Column("position", "int", "place in the syllabus, from 0"),
            Column("title", "text", "title of the session"),
            Column("description", "text", "what the session covers"),
        ),
    ),
    Table(
        "key_concepts", "one row a key concept taught in a session", "syllabi",
        (
            Column("concept_id", "text", "hash of session and concept"),
            Column("session_id", "text", "the session that teaches it"),
            DISCIPLINE,
            Column("position", "int", "place in the session, from 0"),
            Column("name", "text", "the concept in a few words"),
        ),
    ),
)  # fmt: skip

INSTRUCTIONS = (
    Table(
        "questions", "one row a question asked for, failed ones included", "questions",
        (
            Column("question_id", "text", "hash of discipline, sampled concepts and index, or of the imported pair: stable"),
            DISCIPLINE,
            Column("subject_id", "text", "the subject it was dealt to; null, as the next, where it was imported"),
            Column("sample_index", "int", "which sample of its subject, from 0"),
            Column("strategy", "text", "one_session or two_sessions: where its concepts were sampled from; or imported"),
            Column("text", "text", "the question; null when its request failed"),
            Column("tokens", "int", "length of the question in tokens"),
            KEY,
            Column("status", "text", "kept, exact_duplicate, near_duplicate, contaminated or failed; null until its answer is made"),
            Column("made_at", "timestamptz", "when it was made"),
        ),
    ),
    Table(
        "question_concepts", "one row a key concept that a question was asked to combine", "questions",
        (
            Column("question_id", "text", "the question"),
            Column("concept_id", "text", "the sampled key concept"),
            Column("session_id", "text", "the session that concept was sampled from"),
            DISCIPLINE,
        ),
    ),
    Table(
        "answers", "one row an answer that stands; failed ones are in failures", "answers",
        (
            Column("answer_id", "text", "identity of the answer, from its question's"),
            Column("question_id", "text", "the question it answers"),
            DISCIPLINE,
            Column("text", "text", "the answer"),
            Column("tokens", "int", "length of the answer in tokens"),
            Column("finish_reason", "text", "why the model stopped, as the provider said"),
            Column("deployment", "text", "name of the deployment that answered"),
            Column("model", "text", "model that answered; null where the answer was imported"),
            KEY,
            Column("made_at", "timestamptz", "when it was made"),
        ),
    ),
)  # fmt: skip

FILTERS = (
    Table(
        "signatures", "one row a question with text: its text hash; bands stand in minhash.duckdb", "signatures",
        (
            Column("question_id", "text", "the question"),
            DISCIPLINE,
            Column("text_hash", "text", "hash of the question's text in lower case with its spacing evened out"),
        ),
    ),
    Table(
        "duplicates", "one row a dropped question, with the kept one it duplicates", "duplicates",
        (
            Column("question_id", "text", "the dropped question"),
            Column("kept_id", "text", "the kept question it duplicates"),
            Column("discipline", "text", "slug of the dropped question's discipline"),
            Column("kept_discipline", "text", "slug of the kept question's discipline"),
            Column("kind", "text", "exact: the same text hash; near: similar at or above the threshold"),
            Column("jaccard", "double", "exact Jaccard similarity of the two over word n-grams"),
        ),
    ),
    Table(
        "contamination", "one row a benchmark item and a question or answer that repeats it: neither it nor its pair is published",
        "contamination",
        (
            Column("question_id", "text", "the question"),
            DISCIPLINE,
            Column("part", "text", "which text of the pair repeats it: question or answer"),
            Column("benchmark", "text", "name of the benchmark set, as the taxonomy names it"),
            Column("split", "text", "part of the set: test, train …"),
            Column("item_id", "text", "the item within the set"),
            Column("items", "int", "items that the set has"),
            Column("share", "double", "share of the item's words that n-grams in common cover, above 0 to 1"),
            Column("ngram", "int", "words of the n-grams that decided; null where the whole item is repeated"),
            Column("question_span", "text", "the longest stretch in common, as it stands in the question or answer"),
            Column("item_span", "text", "the same as it stands in the item"),
        ),
    ),
    Table(
        "benchmarks", "one row a benchmark set and a discipline whose questions and answers were looked through for it", "contamination",
        (
            Column("benchmark", "text", "name of the benchmark set, as the taxonomy names it"),
            Column("split", "text", "part of the set: test, train …"),
            DISCIPLINE,
            Column("items", "int", "items that the set had then"),
        ),
    ),
)  # fmt: skip

LEDGER = (
    Table(
        "prompts", "one row a prompt text ever used", None,
        (
            Column("prompt_hash", "text", "hash of the prompt file's text"),
            Column("stage", "text", "stage it asks for"),
            Column("name", "text", "file name below prompts/"),
            Column("text", "text", "the text, with its slots"),
        ),
        key=True,
    ),
    Table(
        "builds", "one row a build", None,
        (
            Column("build_id", "text", "the build's identity"),
            Column("started_at", "timestamptz", "when it started"),
            Column("ended_at", "timestamptz", "when it ended; null while it runs"),
            Column("outcome", "text", "how it ended"),
            Column("calls", "bigint", "requests it paid for"),
            Column("reused", "bigint", "requests answered from the response store"),
            Column("usd", "decimal(18,9)", "dollars it paid"),
            Column("gland_version", "text", "version of gland that ran it"),
            Column("taxonomy_hash", "text", "hash of the taxonomy it built"),
        ),
        key=True,
    ),
    Table(
        "requests", "one row a paid request, whoever reused its response later; kept when its discipline leaves the taxonomy", None,
        (
            Column("request_key", "text", "address of the request: a hash of what shapes its reply; a number follows once that is pruned"),
            Column("build_id", "text", "the build that paid it"),
            DISCIPLINE,
            Column("stage", "text", "what it was for: subjects, syllabi, questions or answers"),
            Column("prompt_hash", "text", "the prompt it was made from, in prompts"),
            Column("deployment", "text", "name of the deployment that replied"),
            Column("model", "text", "model that replied"),
            Column("prompt_tokens", "bigint", "tokens sent"),
            Column("cached_tokens", "bigint", "of those, read from the provider's cache"),
            Column("completion_tokens", "bigint", "tokens received"),
            Column("usd", "decimal(18,9)", "dollars it cost; null when the price is unknown"),
            Column("latency_s", "double", "seconds from sending to the whole reply"),
            Column("attempts", "int", "calls to providers until this reply"),
            Column("accepted", "boolean", "whether the reply was used; null where that is no longer known"),
            Column("sent_at", "timestamptz", "when it was sent"),
        ),
    ),
    Table(
        "failures", "one row a row that could not be made, with its cause", None,
        (
            Column("failure_id", "text", "hash of build, stage and row"),
            Column("build_id", "text", "the build in which it failed"),
            DISCIPLINE,
            Column("stage", "text", "level at which it failed"),
            Column("row_id", "text", "identity of the row that is missing"),
            Column("request_key", "text", "address of the request that failed"),
            Column("cause", "text", "what went wrong, as one of the declared causes"),
            Column("detail", "text", "what was seen, at most 2,000 characters"),
            Column("attempts", "int", "calls made before giving up"),
            Column("failed_at", "timestamptz", "when it was given up"),
        ),
    ),
)  # fmt: skip

TABLES: Mapping[str, Table] = {table.name: table for table in (*TREE, *CURRICULUM, *INSTRUCTIONS, *FILTERS, *LEDGER)}
"""Name -> published table, upstream first."""

DATASET = Table(
    "dataset", "one row a kept question-answer pair, with where it stands, what it was made from and what it cost", "dataset",
    (
        Column("id", "text", "question_id of the pair"),
        DISCIPLINE,
        Column("subfield", "text", "slug of the subfield above it"),
        Column("field", "text", "slug of the field above it"),
        Column("subject", "text", "name of its subject; null where it was imported"),
        Column("level", "text", "level of its subject"),
        Column("strategy", "text", "one_session, two_sessions or imported"),
        Column("sessions", "text[]", "titles of the sessions its concepts were sampled from, by name"),
        Column("key_concepts", "text[]", "the key concepts it combines"),
        Column("question", "text", "the instruction"),
        Column("answer", "text", "the response"),
        Column("tokens", "int", "tokens of question and answer together"),
        Column("question_model", "text", "model that wrote the question; null when it was imported, or the ledger has no record of it"),
        Column("answer_model", "text", "model that wrote the answer; null when it was imported"),
        Column("question_prompt", "text", "prompt file the question was asked with"),
        Column("question_prompt_hash", "text", "hash of that prompt's text"),
        Column("usd", "decimal(38,9)", "dollars its question and answer cost"),
    ),
)  # fmt: skip
"""The view that joins them into what is exported."""

SIMILARITIES = Table(
    "similarities", "one row a step of similarity and a discipline: how alike dropped questions are to the kept ones", "duplicates",
    (
        DISCIPLINE,
        Column("at_least", "double", "exact Jaccard similarity at which the step begins"),
        Column("below", "double", "similarity at which the next step begins; 1 is a step of its own"),
        Column("questions", "bigint", "questions of the discipline dropped with a similarity in the step"),
    ),
)  # fmt: skip
"""The histogram that shows what a threshold takes away."""

DUPLICATES_BETWEEN = Table(
    "duplicates_between", "one row a pair of disciplines: questions dropped of one that duplicate kept ones of the other, or of the same",
    "duplicates",
    (
        Column("discipline", "text", "slug of the discipline whose questions were dropped"),
        Column("kept_discipline", "text", "slug of the discipline whose questions were kept"),
        Column("exact", "bigint", "questions with the same text hash as the kept one"),
        Column("near", "bigint", "questions similar at or above the threshold"),
        Column("least", "double", "least similarity among them"),
        Column("mean", "double", "mean similarity"),
    ),
)  # fmt: skip
"""Where disciplines overlap."""

CONTAMINATION_SETS = Table(
    "contamination_sets", "one row a benchmark set that was looked for, hit or not: over all disciplines, and one for each of them",
    "contamination",
    (
        Column("benchmark", "text", "name of the benchmark set, as the taxonomy names it"),
        Column("split", "text", "part of the set: test, train …"),
        Column("discipline", "text", "slug of the discipline; null over all of them"),
        Column("items", "int", "items that the set has"),
        Column("repeated", "bigint", "of those, the ones that pairs repeat; 0: looked for, and clean"),
        Column("pairs", "bigint", "pairs that repeat one"),
        Column("share", "double", "repeated by items"),
        Column("flagged", "boolean", "whether more than 2 % of the items are repeated"),
    ),
)  # fmt: skip
"""The view that sums up which benchmarks leaked."""

VIEWS = (DATASET, SIMILARITIES, DUPLICATES_BETWEEN, CONTAMINATION_SETS)
"""The published views over the tables."""
