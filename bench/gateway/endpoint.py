"""A model's endpoint that takes next to no CPU: python -m bench.gateway.endpoint LATENCY. Prints its URL, serves until its input ends.

It speaks as much HTTP and of OpenAI's chat protocol as the measured clients need. Every reply is another text of about 1 kB, sent LATENCY
seconds after its request has come in whole. A body without messages is refused, as the real ones do; any GET gets an empty list.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import threading
from itertools import count
from random import Random

from tests.speech import prose

TEXTS = 256  # of which every reply takes one, behind a number of its own
TEXT_BYTES = 1000
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
EMPTY = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"data":[]}'
REFUSED = b'{"error":{"message":"no messages","type":"invalid_request_error","code":null}}'


def replies() -> list[bytes]:
    """The replies, whole but for the number that goes in where `@` stands twice."""
    rng = Random(1)
    made = []
    for _ in range(TEXTS):
        text = "Answer @@@@@@@@. "
        while len(text) < TEXT_BYTES:
            text += prose(rng, 1) + " "
        body = json.dumps(
            {
                "id": "chatcmpl-@@@@@@@@", "object": "chat.completion", "created": 1, "model": "m-served",
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
                "usage": {"prompt_tokens": 380, "completion_tokens": 250, "total_tokens": 630},
            }
        )  # fmt: skip
        made.append(_response(b"200 OK", body.encode()))
    return made


def _response(status: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


class Endpoint(asyncio.Protocol):
    """One connection; requests on it come one after the other."""

    numbers = count(1)
    texts = replies()

    def __init__(self, latency: float) -> None:
        self._latency, self._came = latency, b""
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answers once a request is whole."""
        self._came = self._came + data if self._came else data
        head = self._came.find(b"\r\n\r\n")
        if head < 0:
            return
        length = LENGTH.search(self._came, 0, head)
        if len(self._came) < head + 4 + (int(length[1]) if length else 0):
            return
        request, self._came = self._came, b""
        if request.startswith(b"GET "):
            self._answer(EMPTY)
        elif b'"content"' not in request:
            self._answer(_response(b"400 Bad Request", REFUSED))
        else:
            number = next(self.numbers)
            self._loop.call_later(self._latency, self._answer, self.texts[number % TEXTS].replace(b"@@@@@@@@", b"%08d" % number))

    def _answer(self, response: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(response)


async def serve(latency: float) -> None:
    """Serves until standard input ends."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    server = await loop.create_server(lambda: Endpoint(latency), "127.0.0.1", 0, backlog=1024)

    def wait() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait, daemon=True).start()
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
