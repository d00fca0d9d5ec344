"""Get one reply for one request: slots, waits and retries, and the stage's next deployment when one does not answer."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gland_assets.core.errors import EnvironmentFault
from gland_assets.core.project import Deployment
from gland_assets.core.requests import Request
from gland_assets.io.faults import Cure, ProviderFault
from gland_assets.io.providers import Completion, Providers
from gland_assets.io.slots import Slots


@dataclass(frozen=True, slots=True)
class Waits:
    """How calls to one deployment are repeated: exponential waits with full jitter, so that many waiters do not come back at once."""

    retries: int = 5  # after the first call
    first: float = 0.5  # seconds, the longest first wait; doubles each time
    longest: float = 20.0  # seconds
    obeyed: float = 60.0  # seconds, the longest Retry-After that is honoured

    def before(self, retry: int, asked: float | None) -> float:
        """Seconds to wait before the `retry`-th repetition, from 0, when the server asked for `asked` seconds."""
        jitter = random.uniform(0, min(self.longest, self.first * 2**retry))
        return jitter if asked is None else min(asked, self.obeyed) + jitter


@dataclass(frozen=True, slots=True)
class Sent:
    """A completion, who gave it and what it took."""

    completion: Completion
    deployment: str
    attempts: int  # calls to providers, this one included
    latency_s: float  # of this one
    sent_at: datetime


class NoReply(Exception):
    """No deployment of the stage answered: the last fault, and the calls it took."""

    def __init__(self, fault: ProviderFault, attempts: int) -> None:
        self.fault, self.attempts = fault, attempts
        super().__init__(str(fault))


Wire = Callable[[str, Request], AbstractAsyncContextManager[None]]
"""What one call to a deployment happens inside of."""


class Sender:
    """Sends requests to the deployments of one project, within the parallel limits that all processes over its warehouse share."""

    def __init__(
        self, deployments: Mapping[str, Deployment], locks: Path, waits: Waits, wire: Wire,
        on_retry: Callable[[Request, str, ProviderFault], None],
    ) -> None:  # fmt: skip
        self._deployments, self._locks, self._waits, self._wire, self._on_retry = deployments, locks, waits, wire, on_retry
        self.providers = Providers(deployments)
        self._answered: set[str] = set()
        self._out: dict[str, ProviderFault] = {}
        self._slots: dict[str, Slots] = {}

    def close(self) -> None:
        """Lets go of the slots' files."""
        for slots in self._slots.values():
            slots.close()
        self._slots.clear()

    async def send(self, request: Request) -> Sent:
        """The reply of the first deployment of the stage that gives one.

        Raises NoReply when none does, EnvironmentFault when none can until the user changes something.
        """
        attempts = 0
        faults: dict[str, ProviderFault] = {}
        for name in request.settings.models:
            try:
                async with self._slots_of(name).one():
                    return await self._try(name, request, attempts)
            except _GaveUp as gave_up:
                attempts += gave_up.calls
                faults[name] = gave_up.fault
        if all(name in self._out for name in faults):
            raise EnvironmentFault("\n".join(self._advice(name, fault) for name, fault in faults.items()))
        # What is out for good says nothing about this request: name a fault that might have gone otherwise.
        raise NoReply(next(fault for name, fault in reversed(faults.items()) if name not in self._out), attempts)

    async def _try(self, name: str, request: Request, before: int) -> Sent:
        """The deployment's reply, after as many calls as it takes and `Waits` allows."""
        for call in range(self._waits.retries + 1):
            if name in self._out:
                raise _GaveUp(self._out[name], call)
            try:
                async with self._wire(name, request):
                    sent_at, started = datetime.now(UTC), time.perf_counter()
                    completion = await self.providers.complete(name, request)
            except ProviderFault as fault:
                again = fault.cure is Cure.WAIT and call < self._waits.retries
                if not again:
                    self._judge(name, fault)
                    raise _GaveUp(fault, call + (fault.cause != "missing_key")) from None
                self._on_retry(request, name, fault)
                await asyncio.sleep(self._waits.before(call, fault.retry_after))
            else:
                self._answered.add(name)
                return Sent(completion, name, before + call + 1, time.perf_counter() - started, sent_at)
        raise AssertionError("the last call returns or gives up")

    def _judge(self, name: str, fault: ProviderFault) -> None:
        """Puts a deployment out when nothing it can still say would be a reply."""
        unproven = name not in self._answered
        if fault.cure is Cure.MEND or (unproven and (fault.cure is Cure.PROVE or fault.cause == "unreachable")):
            self._out[name] = fault

    def _slots_of(self, name: str) -> Slots:
        if name not in self._slots:
            deployment = self._deployments[name]
            if deployment.local:
                self._slots[name] = Slots(None, 1)  # each process has its own
            else:
                limit = deployment.max_parallel_requests * max(1, len(deployment.api_base))
                self._slots[name] = Slots(self._locks / f"_parallel-{name}.lock", limit)
        return self._slots[name]

    def _advice(self, name: str, fault: ProviderFault) -> str:
        deployment = self._deployments[name]
        where = ", ".join(deployment.api_base) or deployment.route or deployment.model
        what = {
            "missing_key": f"set {deployment.key_env} to its key",
            "auth_error": f"check the key in {deployment.key_env or 'its environment variable; name it as key_env'}",
            "out_of_credit": "top up the account, or name another deployment",
            "forbidden": f"see that its key may use {deployment.model}",
            "not_found": f"check `model`, `route` and `api_base`: {where} does not know it",
            "unreachable": f"start the server at {where}, or correct api_base",
            "unknown_provider": "put the provider in front of `model` or `route`: openai/NAME for a server that speaks OpenAI's protocol",
        }
        said = f"deployment.{name}: {fault.cause}: {fault.detail}; {what.get(fault.cause, 'see `gland validate --live`')}"
        return self.providers.redact(said)  # an address may hold a password


class _GaveUp(Exception):
    def __init__(self, fault: ProviderFault, calls: int) -> None:
        self.fault, self.calls = fault, calls
        super().__init__(str(fault))
