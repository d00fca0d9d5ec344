"""HTTP to providers: one aiohttp session for each event loop, a deadline for the first byte, and a bound on what is read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gland_assets import __version__
from gland_assets.io.faults import ProviderFault

if TYPE_CHECKING:
    import aiohttp

MOST_BYTES = 32 * 2**20
"""The longest body that is read, unpacked: some hundred times the longest reply a model gives."""


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
        if 300 <= response.status < 400:
            there = response.headers.get("Location", "another place").partition("?")[0]
            raise ProviderFault("not_found", f"it redirects to {there}, and a key follows no redirect; correct api_base")
        if (response.content_length or 0) > MOST_BYTES:
            raise _too_long()
        read = bytearray()
        async for chunk in response.content.iter_any():
            read += chunk
            if len(read) > MOST_BYTES:
                raise _too_long()
        return Answer(response.status, response.headers, bytes(read))


async def _begun(call: Any, first_byte: float | None) -> Any:
    if first_byte is None:
        return await call
    try:
        async with asyncio.timeout(first_byte):
            return await call
    except TimeoutError:
        late = ProviderFault("timeout", f"no first byte within {first_byte:g} s")
    raise late


def _too_long() -> ProviderFault:
    return ProviderFault("provider_error", f"the reply is longer than {MOST_BYTES // 2**20} MiB")
