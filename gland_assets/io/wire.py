"""HTTP to providers: one aiohttp session for each event loop, a deadline for the first byte, no redirect, and a bound on what is read.

The last three hold on both roads: what litellm sends itself goes through its one transport, which `bound` holds to them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gland_assets import __version__
from gland_assets.io.faults import ProviderFault

if TYPE_CHECKING:
    import aiohttp
    import httpx

MOST_BYTES = 32 * 2**20
"""The longest body that is read, unpacked: some hundred times the longest reply a model gives."""


FIRST_BYTE: ContextVar[float | None] = ContextVar("first byte", default=None)
"""Seconds until an answer to what is sent through litellm must begin."""

ABOUT_THE_BODY = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers that are no longer true of a body that has been read and unpacked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back over HTTP, whole."""

    status: int
    headers: Mapping[str, str]  # names in any case
    body: bytes  # unpacked


def open_session(ssl: Any) -> aiohttp.ClientSession:
    """A session of the running event loop that trusts what `ssl` trusts. How many calls are under way at once is for the slots to say."""
    import aiohttp  # here: a build that reuses everything does without

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=ssl),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        headers={"User-Agent": f"gland/{__version__}"},
    )


async def post(
    session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], body: bytes, proxy: str | None, first_byte: float | None
) -> Answer:
    """The answer to one POST. `first_byte`: seconds until it must begin.

    Follows no redirect: it would hand the key on to wherever it points. Raises ProviderFault when the answer does not begin in time or is
    too long, and whatever aiohttp raises when the connection fails or breaks off.
    """
    call = session.post(url, data=body, headers=headers, proxy=proxy, allow_redirects=False)
    async with await _begun(call, first_byte) as response:
        return Answer(response.status, response.headers, await _whole(response.status, response.headers, response.content.iter_any()))


def bound(transport: Any) -> None:
    """Holds what is sent through litellm's `transport`, a class of httpx's kind, to what `post` holds to; its deadline is FIRST_BYTE."""
    send = transport.handle_async_request

    async def bounded(self: Any, request: httpx.Request) -> httpx.Response:
        response: httpx.Response = await _begun(send(self, request), FIRST_BYTE.get())
        try:
            body = await _whole(response.status_code, response.headers, response.aiter_bytes())
        finally:
            await response.aclose()
        headers = [(name, value) for name, value in response.headers.multi_items() if name not in ABOUT_THE_BODY]
        return type(response)(response.status_code, headers=headers, content=body, request=request)

    transport.handle_async_request = bounded


async def _whole(status: int, headers: Mapping[str, str], chunks: AsyncIterator[bytes]) -> bytes:
    """The body of an answer. Raises ProviderFault when it is a redirect, or too long."""
    if 300 <= status < 400:
        there = headers.get("Location", "another place").partition("?")[0]
        raise ProviderFault("not_found", f"it redirects to {there}, and a key follows no redirect; correct api_base")
    read = bytearray()
    async for chunk in chunks:
        read += chunk
        if len(read) > MOST_BYTES:
            raise ProviderFault("provider_error", f"the reply is longer than {MOST_BYTES // 2**20} MiB")
    return bytes(read)


async def _begun(call: Any, first_byte: float | None) -> Any:
    if first_byte is None:
        return await call
    try:
        async with asyncio.timeout(first_byte):
            return await call
    except TimeoutError:
        late = ProviderFault("timeout", f"no first byte within {first_byte:g} s")
    raise late
