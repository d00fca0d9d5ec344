"""A claim is one process's, whoever waits for it gets it, and none outlives its process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from gland_assets.io.claims import LONGEST_POLL_S, Claims

KEYS = ["0" * 32, "f" * 32]
HOLDS = """
import asyncio, sys
from pathlib import Path
from gland_assets.io.claims import Claims
async def main():
    async with Claims(Path(sys.argv[1])).claimed(sys.argv[2]):
        print("held", flush=True)
        await asyncio.sleep(float(sys.argv[3]))
asyncio.run(main())
"""


def holder(path: Path, key: str, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDS, path, key, str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_a_claim_is_waited_for_and_others_are_free(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "responses.sqlite")
    ended: list[bool] = []

    def end() -> None:
        ended.append(True)
        other.kill()

    async def both() -> None:
        async with claims.claimed(KEYS[1]):
            assert not ended
        asyncio.get_running_loop().call_later(0.5, end)
        async with claims.claimed(KEYS[0]):
            assert ended

    with holder(tmp_path / "responses.sqlite", KEYS[0], 60.0) as other:
        asyncio.run(asyncio.wait_for(both(), 30))
    claims.close()


def test_who_waits_long_looks_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claims = Claims(tmp_path / "responses.sqlite")
    looked: list[bool] = []
    look = Claims._lock

    def counted(self: Claims, place: int) -> bool:
        looked.append(look(self, place))
        return looked[-1]

    monkeypatch.setattr(Claims, "_lock", counted)

    async def wait() -> None:
        async with claims.claimed(KEYS[0]):
            pass

    with holder(tmp_path / "responses.sqlite", KEYS[0], 2.0):
        asyncio.run(wait())
    claims.close()
    assert looked[-1] and len(looked) <= 10 + 2.0 / LONGEST_POLL_S
