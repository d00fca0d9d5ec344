"""What a build shows without a terminal, and how replies and times are shortened."""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from gland_assets.cli import progress, render
from gland_assets.cli.answering import SHOWN, in_line, table
from gland_assets.cli.caps import LOOK_S, Used
from gland_assets.cli.counting import Counts
from gland_assets.cli.progress import Board, clock, said
from gland_assets.cli.stopping import Stopping
from gland_assets.core.levels import PARTITIONED
from gland_assets.core.progress import Asked, Count, Counted, LevelDone, Resting
from gland_assets.core.project import Budget, Project
from gland_assets.io.foresight import Portion
from gland_assets.io.ledger import Ledger
from tests.io.asking import reply, request
from tests.projects import small_project

QUESTION = Asked("accepted", "questions", "logic", "Why  is\nthat?", 100, Decimal("0.01"), deployment="large", seconds=0.25)
FAILED = Asked("rejected", "answers", "logic", "no", 50, Decimal("0.01"), deployment="small", seconds=1.5, instead_of="large")
AGAIN = [Asked("retry", "answers", "logic", "429", deployment="large", cause=cause) for cause in ("rate_limited", "timeout")]
PORTIONS = {("logic", stage): Portion(20, 0, 0, 0, Decimal(1)) for stage in ("questions", "answers")}


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def capped(**budget: Any) -> Project:
    return replace(small_project(), budget=Budget(**budget))


def test_a_plain_line_holds_all_that_the_board_shows(tmp_path: Path) -> None:
    now = Clock()
    counts = Counts({"logic": ["questions", "answers"]}, PORTIONS, seconds=60.0, now=now)
    board = Board(counts, Stopping(), Used(capped(usd=Decimal(5)), tmp_path, Decimal(2)))
    counts.add(Counted.of([QUESTION]))
    now.now += 20
    board.on_event(Counted.of([*[QUESTION] * 19, FAILED, *AGAIN]))
    board.on_event(LevelDone("logic", "questions", True, 20, 0))
    board.on_event(Resting("large", "rate_limited", 30.0))
    assert board.status() == (
        "[0:20] 0/1 disciplines, 20 rows (1.0 rows/s), 21 calls, 1 rejected, 1 rate limited, 1 asked again, 2,050 tokens, $0.21, "
        "about $1.16 when done, budget: $0.21 of $2.00 (--budget), $0.21 of $5.00 ([budget] usd), about 18 s left"
        " | large 20 calls, 1 rate limited, 1 moved on, rests 30 s; small 1 call"
    )


def test_plain_lines_come_also_while_nothing_happens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_S", 0.01)
    board = Board(Counts({"logic": ["questions"]}, now=Clock()), Stopping(), Used(small_project(), tmp_path))
    seen = ""
    with board.shown():
        while seen.count("\n") < 3:
            seen += capsys.readouterr().out
        board.on_event(Counted.of([QUESTION]))
    assert set(seen.splitlines()) == {"[0:00] 0/1 disciplines, 0 rows, 0 calls, 0 tokens, $0"}
    assert "        questions/logic: Why is that?\n" in capsys.readouterr().out


def test_what_others_spend_of_the_projects_budget_is_seen_after_a_while(tmp_path: Path) -> None:
    now, project = Clock(), capped(usd=Decimal(5), tokens=1000)
    ledger = Ledger(tmp_path)
    mine = ledger.start_build("0", "")
    used = Used(project, tmp_path, now=now)
    here = Count(usd=Decimal("0.5"), tokens=20)
    assert used.in_short(here) == "$0.50 of $5.00 ([budget] usd), 20 of 1,000 ([budget] tokens)"
    ledger.record(reply("theirs", usd=Decimal(2), build_id=mine, prompt_tokens=91, completion_tokens=9), request(), True)
    ledger.close()
    used.look()
    assert used.in_short(here).startswith("$0.50 of"), "not read at every event"
    now.now += LOOK_S
    used.look()
    assert used.in_short(here) == "$2.00 of $5.00 ([budget] usd), 100 of 1,000 ([budget] tokens)"


def shown(counts: Counts, width: int) -> list[str]:
    """The lines of the table of deployments on a terminal of `width` columns."""
    console = Console(width=width, file=io.StringIO(), highlight=False)
    return ["".join(part.text for part in line) for line in console.render_lines(table(counts, width), pad=False)]


NAMES = st.lists(st.text("abcdefghij-", min_size=1, max_size=60), min_size=1, max_size=12, unique=True)


@settings(deadline=None)
@given(NAMES, st.integers(0, 10**5), st.decimals(0, 10**3, places=9), st.sampled_from([80, 100, 120]))
def test_any_deployments_fit_the_terminal_one_a_line_and_none_is_lost(names: list[str], number: int, usd: Decimal, width: int) -> None:
    counts = Counts({}, now=Clock())
    for name in names:
        counts.deployments[name] = Count(
            number, 0, 0, 0, 0, number % 10**4, number % 10**4, number % 10**5, number * 900, usd, 0, number * 1.5
        )
        counts.add(Resting(name, "rate_limited", 59.0))
    lines = shown(counts, width)
    assert all(len(line) <= width for line in lines)
    rows = min(len(names), SHOWN)
    assert len(lines) == 1 + rows
    assert sum("rests 59 s" in line for line in lines) == (rows if len(names) <= SHOWN else SHOWN - 1)
    if len(names) > SHOWN:
        assert f"{len(names) - SHOWN + 1} others" in lines[-1] and f"{len(names) - SHOWN + 1} others" in in_line(counts)


def test_a_deployments_row_says_what_it_did_and_does() -> None:
    counts = Counts({}, now=Clock())
    counts.add(Counted.of([QUESTION, QUESTION, FAILED, *AGAIN]))
    counts.add(Resting("large", "rate_limited", 30.0))
    assert [line.split() for line in shown(counts, 120)] == [
        ["deployment", "calls", "tokens", "cost", "429s", "retries", "latency"],
        ["large", "2", "200", "$0.02", "1", "1", "250", "ms", "rests", "30", "s", "(rate_limited),", "1", "moved", "on"],
        ["small", "1", "50", "$0.01", "1.5", "s"],
    ]
    assert shown(counts, 80)[1].split()[-3:] == ["rests", "30", "s"]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_the_board_fits_the_terminal(width: int, height: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=True, highlight=False)
    monkeypatch.setattr(render, "out", lambda: console)
    counts = Counts({"logic": list(PARTITIONED)}, PORTIONS, seconds=60.0)
    board = Board(counts, Stopping(), Used(capped(usd=Decimal(5)), tmp_path, Decimal(2)))
    with board.shown():
        for number in range(9):
            name = f"deployment-{number}"
            board.on_event(Counted.of([replace(QUESTION, text="Why? " * 500, deployment=name), *AGAIN, FAILED]))
            lines = console.render_lines(board.drawn(), pad=False)
            assert len(lines) < height and all(sum(part.cell_length for part in line) <= width for line in lines)
    text = "\n".join("".join(part.text for part in line) for line in lines)
    assert "rejected" in text and "when done" in text and "(--budget)" in text and "others" in text
    assert height < 40 or "Why?" in text


@pytest.mark.parametrize(
    ("text", "shown"), [('{"question": "Why?"}', "Why?"), ("plain", "plain"), ("[1]", "[1]"), ('{"a": "b"', '{"a": "b"')]
)
def test_a_reply_in_json_is_shown_by_its_words(text: str, shown: str) -> None:
    assert said(text) == shown


@given(st.integers(0, 400_000))
def test_a_clock_tells_the_seconds(seconds: int) -> None:
    total = 0
    for part in clock(seconds).split(":"):
        total = total * 60 + int(part)
    assert total == seconds
