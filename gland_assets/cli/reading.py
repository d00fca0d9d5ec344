"""Rows as one reads them: where they stand, what they were made from, and their text."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.text import Text

from gland_assets.cli import render
from gland_assets.cli.found import Found, Row
from gland_assets.cli.summary import shown_path
from gland_assets.core.levels import IMPORTED
from gland_assets.core.project import LOCAL_MODEL

if TYPE_CHECKING:
    from gland_assets.core.project import Project
    from gland_assets.io.imported import Origin

DEMONSTRATION = "demonstration quality: written by the bundled local model, not for training"
STATUS = {
    "kept": "kept", "exact_duplicate": "dropped: the same text as", "near_duplicate": "dropped: nearly the same as",
    "contaminated": "dropped: it repeats a benchmark's item", "failed": "failed", None: "its answer is not made yet",
}  # fmt: skip


def place(project: Project, slug: str, *below: str | None) -> Text:
    """Field / subfield / discipline and what stands below, by name."""
    names = [node.name for node in project.path_of(slug)]
    return Text(" / ").join(Text(name, "bold" if at == len(names) - 1 else "") for at, name in enumerate([*names, *filter(None, below)]))


def pair(project: Project, row: Row, whole: bool = False, imported: Sequence[tuple[Origin, int]] = ()) -> None:
    """A question with its answer; `whole`: with ids, prompts, tokens, cost and the files it was imported from."""
    subject = row["subject"] and f"{row['subject']} ({row['level']})" if row["level"] else row["subject"]
    render.put(place(project, row["discipline"], subject))
    for session in row["sessions"] or ():
        render.put(Text.assemble((f"  {session['title']}", ""), (f": {', '.join(session['concepts'])}", "dim")))
    render.say()
    _text("Question", row["question"] or f"failed: {row['question_failure'] or 'no reason was kept'}", _made(row, "question", whole))
    answer = row["answer"] or (f"failed: {row['answer_failure']}" if row["answer_failure"] else "not made yet")
    if row["question"]:
        _text("Answer", answer, _made(row, "answer", whole))
    if whole:
        table = render.columns()
        files = [("imported from", f"{shown_path(Path(origin.path))}, row {number:,}") for origin, number in imported]
        for name, value in [*_facts(row), *files]:
            table.add_row(Text(f"  {name}", "dim"), value)
        render.put(table)
    else:
        render.put(Text(f"  {row['question_id']}{', imported' if row['strategy'] == IMPORTED else ''}", "dim"))
    if LOCAL_MODEL in (row["question_model"], row["answer_model"]):
        render.put(Text(f"  {DEMONSTRATION}", "yellow"))
    render.say()


def _text(name: str, text: str, made: str) -> None:
    render.put(Text.assemble((name, "bold"), (f"  {made}", "dim")))
    render.put(Padding(Text(text.strip()), (0, 2, 0, 2), expand=False))
    render.say()


def _made(row: Row, which: str, whole: bool) -> str:
    """By which model, from which prompt, how long, for how much."""
    said = [row[f"{which}_model"]]
    if whole:
        said.append(row[f"{which}_prompt"])
        said.append(row[f"{which}_tokens"] is not None and render.several(row[f"{which}_tokens"], "token"))
        usd: Decimal | None = row[f"{which}_usd"]
        said.append(row[f"{which}_model"] and render.money(usd))
    return ", ".join(str(part) for part in said if part)


def _facts(row: Row) -> list[tuple[str, str]]:
    status = STATUS[row["status"]]
    if row["kept_id"]:
        status += f" {row['kept_id']} (Jaccard {row['jaccard']:.2f})"
    leaks = [("repeats", _leak(leak)) for leak in row["leaks"] or ()]
    facts = [("question", row["question_id"]), ("answer", row["answer_id"] or "–"), ("state", status)]
    return [*facts, *leaks, ("strategy", row["strategy"].replace("_", " "))]


def _leak(leak: Row) -> str:
    """A benchmark's item that a question or answer repeats, how much of it, and where."""
    named = " ".join(filter(None, [leak["benchmark"], leak["split"], leak["item_id"]]))
    return f"{named}, {leak['share']:.0%} of it, in the {leak['part']}: {render.cut(' '.join(leak['span'].split()), 100)}"


def curriculum(project: Project, slug: str, subjects: Sequence[Row], imported: Sequence[Origin] = ()) -> None:
    """What a discipline teaches: its subjects, their sessions in order, their key concepts; and what was imported into it."""
    render.put(place(project, slug))
    for origin in imported:
        render.put(f"  {render.several(origin.rows, 'row')} imported from {shown_path(Path(origin.path))}, as `{origin.name}`")
    if imported and not subjects:
        return
    if not subjects:
        render.put(f"  nothing made yet; `gland build -d {slug}` makes it")
        return
    sessions = sum(len(row["sessions"] or ()) for row in subjects)
    asked = sum(row["questions"] for row in subjects)
    render.put(f"  {render.several(len(subjects), 'subject')}, {render.several(sessions, 'session')}, {render.several(asked, 'question')}")
    for row in subjects:
        render.say()
        _subject(row)


def _subject(row: Row, only: str | None = None) -> None:
    """A subject with its sessions, or with the one session `only`."""
    about = ", ".join(filter(None, [row["level"], render.several(row["questions"], "question"), row["subject_id"][:10]]))
    render.put(Text.assemble((f"  {row['name']}", "bold"), (f"  {about}", "dim")))
    if row["sessions"] is None:
        render.put(Text("    no syllabus", "dim"))
    for number, session in enumerate(row["sessions"] or (), 1):
        if only in (None, session["session_id"]):
            render.put(Padding(_session(number, session, described=only is not None), (0, 0, 0, 4), expand=False))


def _session(number: int, session: dict[str, Any], described: bool) -> Text:
    said = Text(f"{number}. {session['title']}")
    if session["concepts"]:
        said.append(f": {', '.join(session['concepts'])}", "dim")
    if described and session["description"]:
        said.append(f"\n   {session['description']}")
    return said


def part(
    project: Project, which: Found, subjects: Sequence[Row], session: str | None, concept: str | None, asked: Sequence[Row]
) -> None:  # fmt: skip
    """A subject, syllabus, session or key concept where it stands, with some of the questions asked of it."""
    render.put(place(project, which.discipline))
    named = f": {concept}" if concept else ""
    render.put(Text(f"{which.kind} {which.id}{named}", "dim"))
    render.say()
    for row in subjects:
        if session is None:
            for name, value in (("introduction", row["introduction"]), ("subtopics", ", ".join(row["subtopics"] or ()))):
                if value:
                    render.put(Text.assemble((f"  {name}: ", "dim"), value))
        _subject(row, session)
    if asked:
        render.say()
        for question in asked:
            state = "dropped" if question["dropped"] else ""
            render.put(
                Text.assemble((f"  {question['question_id'][:10]}  ", "dim"), render.cut(question["text"] or "failed", 200), f"  {state}")
            )


def failed(project: Project, which: Found, causes: Sequence[tuple[str, str, str, int]]) -> None:
    """A row that could not be made, and why."""
    render.put(place(project, which.discipline))
    for stage, cause, detail, attempts in causes:
        render.put(f"  {stage} {which.id}: {cause} after {render.several(attempts, 'try', 'tries')}: {detail}")
