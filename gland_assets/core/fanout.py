"""Many awaits at once, results in the order of their items, and one failure stops them all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")

WIDTH = 1024  # items under way at once; far above any one process's parallel requests, far below the memory of 80,000 tasks


async def each(items: Sequence[A], make: Callable[[A], Awaitable[B]], width: int = WIDTH) -> list[B]:
    """`[await make(item) for item in items]`, up to `width` at a time. The first exception cancels the rest and is raised as it is."""
    results: dict[int, B] = {}
    left = iter(enumerate(items))

    async def work() -> None:
        for place, item in left:
            results[place] = await make(item)

    tasks = [asyncio.create_task(work()) for _ in range(min(width, len(items)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [results[place] for place in range(len(items))]
