"""Questions and pairs that people already have: the forms they come in, recognised by their columns, and the ids of what is imported."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from gland_assets.core.dedup import normalise
from gland_assets.core.hashing import ID_BYTES
from gland_assets.core.levels import IMPORTED

ASKS = ("user", "human")
ANSWERS = ("assistant", "gpt", "model", "bot")
SYSTEM = ("system",)
"""Roles of turns, as they are called in the wild."""


@dataclass(frozen=True, slots=True)
class Chat:
    """Turns of a conversation in one column: the first that asks is the question, the first that answers after it the answer."""

    name: str
    column: str
    role: str
    text: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read."""
        return (self.column,)


@dataclass(frozen=True, slots=True)
class Named:
    """Question and answer in columns of their own. Where `context` holds something, it follows the question after an empty line."""

    name: str
    question: str
    context: str | None = None
    answer: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read."""
        return tuple(column for column in (self.question, self.context, self.answer) if column is not None)


Form = Chat | Named

_CHATS = (("messages", "role", "content"), ("sharegpt", "from", "value"))
_NAMED = (
    ("Alpaca", "instruction", ("input", "context"), ("output", "response")),
    ("prompt-completion", "prompt", (), ("completion", "response")),
    ("question and answer", "question", (), ("answer", "response")),
)


def recognise(columns: Mapping[str, Collection[str]]) -> Form | None:
    """The form of rows with these columns, each with the names within it where it is a list of records; None when it is none that is known.

    Conversations come before single columns: files that have both keep the first turn in the column.
    """
    for column in ("messages", "conversations", "conversation"):
        for name, role, text in _CHATS:
            if {role, text} <= set(columns.get(column, ())):
                return Chat(name, column, role, text)
    for name, question, contexts, answers in _NAMED:
        if question in columns:
            return Named(name, question, _first(contexts, columns), _first(answers, columns))
    return None


def _first(wanted: Iterable[str], columns: Collection[str]) -> str | None:
    return next((name for name in wanted if name in columns), None)


def in_words(form: Form) -> str:
    """A form as it is told: its name, and the columns it is read from."""
    return f"{form.name} ({', '.join(form.columns)})"


def columns_of(records: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    """The columns of some records, each with the names within it where it holds lists of records."""
    found: dict[str, set[str]] = {}
    for record in records:
        for name, value in record.items():
            within = found.setdefault(name, set())
            for each in value if isinstance(value, list) else ():
                within.update(each if isinstance(each, Mapping) else ())
    return found


def checked(form: Form, record: Mapping[str, Any]) -> dict[str, Any]:
    """What `form` reads of one record, in its plainest shape: texts or None, turns of two such. ValueError says what is wrong."""
    if isinstance(form, Named):
        return {column: _text(repr(column), record.get(column)) for column in form.columns}
    turns = record.get(form.column)
    if turns is not None and not isinstance(turns, list):
        raise ValueError(f"{form.column!r} holds {kind_of_value(turns)}, not a list of turns")
    return {form.column: None if turns is None else [_turn(form, turn) for turn in turns]}


def _turn(form: Chat, turn: Any) -> dict[str, str | None]:
    if not isinstance(turn, Mapping):
        raise ValueError(f"a turn is {kind_of_value(turn)}, not an object")
    text = turn.get(form.text)
    if isinstance(text, list) and all(isinstance(part, Mapping) and isinstance(part.get("text"), str) for part in text):
        text = "".join(part["text"] for part in text)  # OpenAI's parts of a message
    return {form.role: _text(f"{form.role!r} of a turn", turn.get(form.role)), form.text: _text(f"{form.text!r} of a turn", text)}


def _text(where: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{where} holds {kind_of_value(value)}, not text")
    return value


def kind_of_value(value: Any) -> str:
    """What a value of JSON is, in words."""
    known = ((str, "text"), (bool, "true or false"), (int | float, "a number"), (list, "a list"), (Mapping, "an object"))
    return "null" if value is None else next((name for kind, name in known if isinstance(value, kind)), f"a {type(value).__name__}")


def pair_ids(discipline: str, questions: Sequence[str], answers: Sequence[str | None]) -> list[str]:
    """The ids of imported rows: of the discipline, the question as it is compared (case and spacing aside) and the answer as it stands."""
    head = blake2b(f"{IMPORTED} {discipline} ".encode(), digest_size=ID_BYTES)
    found = []
    for question, answer in zip(questions, answers, strict=True):
        hashed = head.copy()
        plain = normalise(question)
        hashed.update((f"{len(plain)} {plain}" if answer is None else f"{len(plain)} {plain} {answer}").encode())
        found.append(hashed.hexdigest())
    return found


def answer_ids(question_ids: Iterable[str]) -> list[str]:
    """The ids of the answers to questions: as `digest("answer", question_id)`, without its cost for each."""
    return [blake2b(f'["answer","{identity}"]'.encode(), digest_size=ID_BYTES).hexdigest() for identity in question_ids]
