"""One run of one client: python -m bench.gateway.clients CLIENT URL COUNT PARALLEL FOLDER. Prints the seconds from first request to last.

A request comes before the clock starts: what is loaded at the first call is start-up, whoever loads it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from random import Random

from tests.speech import prose

PROMPT_BYTES = 1500
SHARED = 10  # of how many different syllabi, so to speak, the prompts are made

Send = Callable[[str], Awaitable[str]]
"""What turns a prompt into its reply."""


def prompts(count: int) -> Callable[[int], str]:
    """The n-th prompt: about 1.5 kB, most of it the same as in others, as a syllabus is."""
    rng = Random(2)
    shared = [""] * SHARED
    for place in range(SHARED):
        while len(shared[place]) < PROMPT_BYTES - 60:
            shared[place] += prose(rng, 1) + "\n"
    return lambda number: f"{shared[number % SHARED]}Write an answer to question {number:08} of {count:08}."


async def timed(send: Send, count: int, width: int, first: int = 0, ready: Callable[[], None] = lambda: None) -> float:
    """Seconds for all but the first of the requests, `width` tasks asking at a time; they begin when `ready` returns."""
    from gland_assets.core.fanout import each

    prompt = prompts(count)
    assert (await send(prompt(first))).startswith("Answer ")
    ready()

    async def one(number: int) -> None:
        assert (await send(prompt(number))).startswith("Answer ")

    began = time.perf_counter()
    await each(range(first + 1, first + count + 1), one, width)
    return time.perf_counter() - began


def gland(
    url: str, count: int, parallel: int, folder: Path, first: int = 0, ready: Callable[[], None] = lambda: None
) -> float:  # fmt: skip
    """Through the gateway, each reply stored, in the ledger and judged, as in a build; what waits for a slot waits as there."""
    from dataclasses import replace

    from gland_assets.core.budget import Caps
    from gland_assets.core.fanout import WIDTH
    from gland_assets.core.project import Deployment, Price, StageSettings
    from gland_assets.core.requests import Message, Request
    from gland_assets.io.builder import recorded_build
    from gland_assets.io.gateway import Gateway
    from gland_assets.io.ledger import Ledger
    from gland_assets.io.store import ResponseStore
    from tests.projects import small_project

    price = Price(Decimal(1), Decimal(2))
    deployment = Deployment("main", "openai/m", api_base=(url,), max_parallel_requests=parallel, price=price)
    project = replace(small_project(), deployments={"main": deployment})
    settings = StageSettings(("main",), 0.7, 0.95, 2000)
    with recorded_build(project, folder) as build_id:
        gateway = Gateway(project, ResponseStore(folder / "responses.sqlite"), Ledger(folder), build_id, Caps())

        async def send(prompt: str) -> str:
            asked = Request("answers", "logic", prompt[-40:], (Message("user", prompt),), "0" * 32, settings, 1)
            text, _ = await gateway.ask(asked, lambda reply: reply.text)
            return text

        try:
            return asyncio.run(timed(send, count, WIDTH, first, ready))
        finally:
            gateway.close()


def gland_twice(url: str, count: int, parallel: int, folder: Path) -> float:
    """The same by two processes over one warehouse, as two workers of a build: what is in flight is counted over both."""
    half = count // 2
    line = [sys.executable, "-m", "bench.gateway.clients", "gland_half", url, str(half), str(parallel), str(folder)]
    crew = [
        subprocess.Popen([*line, str(number * (half + 1))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for number in (0, 1)
    ]
    for one in crew:
        assert one.stdout is not None and one.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for one in crew:
        assert one.stdin is not None
        print("go", file=one.stdin, flush=True)
    for one in crew:
        assert one.stdout is not None
        float(one.stdout.readline())
    took = time.perf_counter() - began
    assert [one.wait() for one in crew] == [0, 0]
    return took


def gland_half(url: str, count: int, parallel: int, folder: Path) -> float:
    """One of the two: says when it is ready, and waits for the word."""

    def ready() -> None:
        print("ready", flush=True)
        sys.stdin.readline()

    return gland(url, count, parallel, folder, int(sys.argv[6]), ready)


def aiohttp(url: str, count: int, parallel: int, folder: Path) -> float:
    """The least that a client in Python does: a POST and the JSON that comes back."""
    from aiohttp import ClientSession, TCPConnector

    async def ask() -> float:
        async with ClientSession(connector=TCPConnector(limit=parallel)) as session:

            async def send(prompt: str) -> str:
                body = {"model": "m", "messages": [{"role": "user", "content": prompt}], "temperature": 0.7, "max_tokens": 2000}
                async with session.post(f"{url}/chat/completions", json=body, headers={"Authorization": "Bearer none"}) as response:
                    done = await response.json()
                return str(done["choices"][0]["message"]["content"])

            return await timed(send, count, parallel)

    return asyncio.run(ask())


def litellm(url: str, count: int, parallel: int, folder: Path) -> float:
    """`litellm.acompletion`, as its documentation has it, so many at a time; quiet, as the gateway has it."""
    from gland_assets.io.providers import load_litellm

    acompletion = load_litellm().acompletion

    async def send(prompt: str) -> str:
        done = await acompletion(
            model="openai/m", messages=[{"role": "user", "content": prompt}], api_base=url, api_key="none", temperature=0.7, max_tokens=2000
        )
        return str(done.choices[0].message.content)

    return asyncio.run(timed(send, count, parallel))


CLIENTS = {"gland": gland, "gland_twice": gland_twice, "gland_half": gland_half, "aiohttp": aiohttp, "litellm": litellm}

if __name__ == "__main__":
    client, url, number, parallel, folder = sys.argv[1:6]
    print(CLIENTS[client](url, int(number), int(parallel), Path(folder)))
