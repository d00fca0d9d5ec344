"""A claim is one asker's, in whatever process and event loop; whoever waits for it gets it, and none outlives its process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gland_assets.io.claims import DIGITS, LONGEST_POLL_S, Claims

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


def test_a_claim_keeps_out_other_event_loops_of_its_process_too(tmp_path: Path) -> None:
    ways = [Claims(tmp_path / "responses.sqlite") for _ in range(2)]
    inside, most, order = 0, 0, list[int]()

    async def one(claims: Claims, number: int) -> None:
        nonlocal inside, most
        async with claims.claimed(KEYS[0]):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.005)
            order.append(number)
            inside -= 1

    async def several(claims: Claims) -> None:
        await asyncio.gather(*(one(claims, number) for number in range(5)))

    loops = [threading.Thread(target=lambda claims=claims: asyncio.run(several(claims))) for claims in (*ways, ways[0])]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()
    assert (most, inside, len(order)) == (1, 0, 15)
    for claims in ways:
        claims.close()


TRIES = """
import sys
from pathlib import Path
from gland_assets.io.claims import Claims
print(Claims(Path(sys.argv[1]))._lock(int(sys.argv[2], 16)))
"""


def test_who_closes_gives_back_its_own_claims_alone(tmp_path: Path) -> None:
    path = tmp_path / "responses.sqlite"
    staying, leaving = Claims(path), Claims(path)
    first, second = (key[:DIGITS] for key in KEYS)
    assert staying._lock(int(first, 16)) and leaving._lock(int(second, 16))
    leaving.close()
    tried = [subprocess.check_output([sys.executable, "-c", TRIES, path, place], text=True) for place in (first, second)]
    assert tried == ["False\n", "True\n"]
    staying.close()


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
