"""A local server that speaks the protocols of tests/protocols.py, OpenAI's above all: deterministic by request body, with faults on demand.

`python -m tests.server --port 8123` runs it alone. `GET /count`, `GET /log`; `POST /faults`, `/latency`, `/reset`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from random import uniform
from typing import Any

from aiohttp import web

from gland_assets.core.project import Price
from tests.completions import completion
from tests.protocols import Protocol, error_of, protocol_of

HANG_S = 60.0
LATE_S = 0.6
TOKEN = "ya29.token-of-the-test"
HUGE_BYTES = 64 * 2**20
REFUSED = ("reset", "hang", "late", "slow", "garbage", "truncated", "broken_chunks", "huge")
"""Faults of the transport, HTTP statuses aside. late: the reply begins after LATE_S; slow: it begins at once and then takes LATE_S;
truncated: it is shorter than its Content-Length."""


@dataclass
class Fault:
    """What goes wrong with the next `times` requests whose body has `match` in it."""

    kind: str  # an HTTP status, or one of REFUSED here and SPOILT of tests/completions.py
    times: int = 1
    match: str = ""
    retry_after: float | None = None
    message: str = "the server was told to fail"
    code: str | None = None  # of the error, by the provider's name for it
    headers: Mapping[str, str] = field(default_factory=dict)  # sent beside the reply, whatever it is


@dataclass(frozen=True)
class Alike:
    """Two texts that the model does not tell apart: a body with `written` in it gets the reply to the same body with `read` there.

    Bodies with `unless` in them are told apart after all.
    """

    written: str
    read: str
    unless: str = ""

    def apply(self, raw: str) -> str:
        """The body, as JSON, that is replied to."""
        return raw if self.unless and self.unless in raw else raw.replace(self.written, self.read)


@dataclass
class State:
    """What the server has seen, and what it was told to do."""

    latency: float = 0.0  # seconds before each reply
    spread: float = 0.0  # part of it that a reply's own latency may lie above or below
    faults: list[Fault] = field(default_factory=list)
    alike: list[Alike] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    answered: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    takes: int | None = None  # requests at once; one more is refused
    headers: dict[str, str] = field(default_factory=dict)  # sent with every reply

    def clear(self) -> None:
        self.latency, self.spread, self.answered, self.most_in_flight, self.takes = 0.0, 0.0, 0, 0, None
        self.headers.clear()
        self.faults.clear()
        self.alike.clear()
        self.log.clear()

    def replied_to(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body that `body` is taken for."""
        if not self.alike:
            return dict(body)
        raw = json.dumps(body, ensure_ascii=False)
        for alike in self.alike:
            raw = alike.apply(raw)
        taken: dict[str, Any] = json.loads(raw)
        return taken

    def fault_for(self, raw: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and fault.match in raw:
                fault.times -= 1
                return fault
        return None


def application(state: State) -> web.Application:
    """The server's routes over `state`."""

    async def complete(request: web.Request) -> web.StreamResponse:
        spoken = protocol_of(request.path)
        if spoken is None:
            state.log.append({"path": request.path_qs, "fault": "404", "answered": False})
            return web.json_response({"error": {"message": f"no such path: {request.path}"}}, status=404)
        protocol, model = spoken
        raw = await request.text()
        body = json.loads(raw)
        # The provider's client escapes what is not ASCII as it likes: faults are matched against the text itself.
        fault = state.fault_for(json.dumps(body, ensure_ascii=False)) or Fault("")
        asked = protocol.asked(body, model)
        if not asked["messages"]:
            fault = Fault("400", message="messages is empty")
        if state.takes is not None and state.in_flight >= state.takes:
            state.log.append({"body": body, "fault": "429", "authorization": None, "answered": False})
            return web.json_response({"error": {"message": "too many at once"}}, status=429)
        entry = {
            "body": body,
            "fault": fault.kind or None,
            "authorization": request.headers.get("Authorization"),
            "answered": False,
            "path": request.path_qs,
            "headers": {name.lower(): value for name, value in request.headers.items()},
        }
        state.log.append(entry)
        state.in_flight += 1
        state.most_in_flight = max(state.most_in_flight, state.in_flight)
        try:
            await asyncio.sleep(state.latency * uniform(1 - state.spread, 1 + state.spread))
            if (refused := await _refused(request, fault, protocol)) is not None:
                return refused
            state.answered += 1
            entry["answered"] = True
            done = completion(state.replied_to(asked), fault.kind)
            entry["usage"] = done.get("usage")
            return await _sent(request, fault, protocol.said(done, body), state.headers)
        finally:
            state.in_flight -= 1

    async def token(request: web.Request) -> web.Response:
        """What Google's sign-in answers to a service account."""
        return web.json_response({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})

    async def read(request: web.Request) -> web.Response:
        if request.path == "/log":
            return web.json_response(state.log)
        return web.json_response({"count": len(state.log), "answered": state.answered, "most_in_flight": state.most_in_flight})

    async def tell(request: web.Request) -> web.Response:
        told = await request.json() if request.can_read_body else {}
        if request.path == "/faults":
            state.faults.extend(Fault(**one) for one in (told if isinstance(told, list) else [told]))
        elif request.path == "/latency":
            state.latency = float(told["seconds"])
        else:
            state.clear()
        return web.json_response({"faults": [asdict(fault) for fault in state.faults], "latency": state.latency})

    app = web.Application(client_max_size=16 * 2**20)
    for path in ("/log", "/count"):
        app.router.add_get(path, read)
    for path in ("/faults", "/latency", "/reset"):
        app.router.add_post(path, tell)
    app.router.add_post("/token", token)
    app.router.add_post("/{path:.+}", complete)
    return app


async def _refused(request: web.Request, fault: Fault, protocol: Protocol) -> web.StreamResponse | None:
    """The response of a fault that is none of a model's, None for those that are."""
    if fault.kind.isdigit():
        headers = dict(fault.headers) | ({} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)})
        error = error_of(protocol, int(fault.kind), fault.message, fault.code)
        return web.json_response(error, status=int(fault.kind), headers=headers)
    if fault.kind == "hang":
        await asyncio.sleep(HANG_S)
    if fault.kind == "late":
        await asyncio.sleep(LATE_S)
    if fault.kind == "reset":
        if request.transport is not None:
            request.transport.abort()
        return web.Response()
    return web.Response(text="<html>gateway page</html>") if fault.kind == "garbage" else None


async def _sent(request: web.Request, fault: Fault, reply: Mapping[str, Any], headers: Mapping[str, str]) -> web.StreamResponse:
    """The reply on its way, whole or not."""
    headers = {**headers, **fault.headers}
    raw = json.dumps(reply).encode()
    if fault.kind == "gzip":
        whole = web.Response(body=raw, content_type="application/json", headers=headers)
        whole.enable_compression(web.ContentCoding.gzip)
        return whole
    if fault.kind not in ("slow", "truncated", "broken_chunks", "huge"):
        return web.Response(body=raw, content_type="application/json", headers=headers)
    response = web.StreamResponse(headers={"Content-Type": "application/json", **headers})
    if fault.kind == "truncated":
        response.content_length = len(raw) + 40
    await response.prepare(request)
    if fault.kind == "slow":
        await response.write(b" ")
        await asyncio.sleep(LATE_S)
    with suppress(ConnectionError):  # who reads may have enough
        await response.write(raw)
        for _ in range(HUGE_BYTES // 2**20 if fault.kind == "huge" else 0):
            await response.write(b" " * 2**20)
    if fault.kind in ("truncated", "broken_chunks") and request.transport is not None:
        request.transport.close()
    return response


class ModelServer:
    """The server on a thread of this process, on a free port of the loopback interface."""

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.state = State()
        self._port, self._tls = port, tls
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="model server", daemon=True)

    def start(self) -> ModelServer:
        self._thread.start()
        if not self._ready.wait(30):
            raise RuntimeError("the test server did not start")
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:  # its end cancels handlers that hang
            runner.run(self._serve())

    async def _serve(self) -> None:
        runner = web.AppRunner(application(self.state), access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self._port, ssl_context=self._tls)
        await site.start()
        self._port = runner.addresses[0][1]
        self._ready.set()
        await self._end.wait()
        await runner.cleanup()

    @property
    def url(self) -> str:
        """What a deployment names as its api_base."""
        return f"{self.root}/v1"

    @property
    def root(self) -> str:
        """The same for protocols whose paths do not begin with /v1."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    @property
    def count(self) -> int:
        """Requests received."""
        return len(self.state.log)

    @property
    def answered(self) -> int:
        """Requests that got a model's reply: those a provider would bill."""
        return self.state.answered

    @property
    def log(self) -> list[dict[str, Any]]:
        """Every request received: body, fault, authorization, path, headers, whether it got a model's reply, and that reply's usage."""
        return self.state.log

    def bill(self, prices: Mapping[str, Price]) -> tuple[Decimal, int]:
        """What a provider would charge for all it answered: dollars, by model as requests name it, and tokens."""
        dollars, tokens = Decimal(0), 0
        for entry in self.state.log:
            if entry["answered"]:
                usage, price = entry["usage"], prices[entry["body"]["model"]]
                cached = usage["prompt_tokens_details"]["cached_tokens"]
                at_cached = price.input if price.cached_input is None else price.cached_input
                fresh = usage["prompt_tokens"] - cached
                dollars += (fresh * price.input + cached * at_cached + usage["completion_tokens"] * price.output) / 1_000_000
                tokens += usage["total_tokens"]
        return dollars, tokens

    def fail(
        self, kind: str, times: int = 1, match: str = "", retry_after: float | None = None, message: str = "told to fail",
        code: str | None = None, headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Makes the next `times` requests with `match` in them go wrong."""
        self.state.faults.append(Fault(kind, times, match, retry_after, message, code, headers or {}))

    def take_for(self, written: str, read: str, unless: str = "") -> None:
        """Makes a request with `written` in its JSON get the reply to the same one with `read` there, unless `unless` is in it."""
        self.state.alike.append(Alike(written, read, unless))

    def reset(self) -> None:
        """Forgets everything seen and told."""
        self.state.clear()


def main() -> None:
    """Runs the server until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each reply")
    arguments = parser.parse_args()
    server = ModelServer(arguments.port).start()
    server.state.latency = arguments.latency
    print(server.url, flush=True)
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


if __name__ == "__main__":
    main()
