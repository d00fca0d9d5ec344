"""What a build shows without a terminal, and how replies and times are shortened."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.cli import progress
from gland_assets.cli.counting import Counts
from gland_assets.cli.progress import Board, clock, said
from gland_assets.cli.stopping import Stopping
from gland_assets.core.progress import Asked, LevelDone


def test_plain_lines_come_every_few_seconds_and_hold_the_sums(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("gland_assets.cli.progress.time.monotonic", lambda: now[0])
    counts = Counts({"logic": ["questions", "answers"]}, replies=40, seconds=60.0, now=lambda: now[0])
    board = Board(counts, Stopping())
    with board.shown():
        for _ in range(20):
            board.on_event(Asked("accepted", "questions", "logic", "Why  is\nthat?", 100, Decimal("0.01")))
            now[0] += 1
        board.on_event(Asked("rejected", "answers", "logic", "no", 50, Decimal("0.01")))
        board.on_event(Asked("retry", "answers", "logic", "429"))
        now[0] += progress.LINE_S
        board.on_event(LevelDone("logic", "questions", True, 20, 0))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "        questions/logic: Why is that?"
    assert len(lines) == 6, "a sample, and one line every five seconds"
    assert lines[-1] == (
        "[0:25] 0/1 disciplines, 20 rows (48 rows/min), 21 calls, 1 rejected, 1 asked again, 2,050 tokens, $0.21, about 25 s left"
    )


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
