"""Projects that several of the verbs' tests read."""

from __future__ import annotations

from pathlib import Path

import pytest

from gland_assets.core.records import Duplicate
from gland_assets.io.partitions import Partitions
from tests import rows
from tests.cli.running import damaged, declare, store


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A project with logic (one answer failed, one question dropped) and optics made, and music not."""
    folder = declare(tmp_path / "made")
    logic = rows.made("logic")
    store(folder, damaged(logic), rows.made("optics"))
    dropped, kept = logic.questions[1].question_id, logic.questions[0].question_id
    rows.store_duplicates(Partitions(folder / "warehouse"), Duplicate(dropped, kept, "logic", "logic", "near", 0.83))
    return folder
