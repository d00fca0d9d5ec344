"""Get one reply for one request: the stage's deployments in order of preference, their endpoints, waits, retries and rests."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from gland_assets.core.cost import estimate_tokens
from gland_assets.core.errors import EnvironmentFault
from gland_assets.core.pacing import Outages
from gland_assets.core.project import Deployment
from gland_assets.core.requests import Request
from gland_assets.io.faults import Cure, ProviderFault
from gland_assets.io.lanes import Away, Lane, Turn
from gland_assets.io.providers import Completion, Providers

SHORT_S = 30.0  # of peace that a server asks for: it is waited for, even where another deployment could answer
WAKE_S = 1.0  # the longest time between two looks whether one is awake again
OUTAGES = Outages()
UNCALLED = ("missing_key", "missing_package")
"""Causes that stand before any call."""
LEARNED = 0.1  # weight of the newest reply's length in the mean


@dataclass(frozen=True, slots=True)
class Waits:
    """How calls to one deployment are repeated: exponential waits with full jitter, so that many waiters do not come back at once."""

    retries: int = 5  # after the first call, for faults that waiting can cure
    refusals: int = 30  # after the first call, for one too many: others are served meanwhile
    first: float = 0.5  # seconds, the longest first wait; doubles each time
    longest: float = 20.0  # seconds
    obeyed: float = 600.0  # seconds, the longest Retry-After that is honoured
    outages: Outages = OUTAGES
    patience: float = 3600.0  # seconds for which nothing that a stage may ask answers, before the build stops

    def before(self, retry: int, asked: float | None) -> float:
        """Seconds to wait before the `retry`-th repetition, from 0, when the server asked for `asked` seconds."""
        jitter = random.uniform(0, min(self.longest, self.first * 2**retry))
        return jitter if asked is None else min(asked, self.obeyed) + jitter

    def allow(self, fault: ProviderFault, calls: int) -> bool:
        """Whether a deployment is called again after so many calls that were refused, if `fault` is a refusal, or else failed otherwise."""
        return fault.cure is Cure.WAIT and calls <= (self.refusals if fault.cause == "rate_limited" else self.retries)


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
    """Sends requests to the deployments of one project, at the pace that all processes over its warehouse keep together."""

    def __init__(
        self, deployments: Mapping[str, Deployment], locks: Path, waits: Waits, wire: Wire,
        on_retry: Callable[[Request, str, ProviderFault], None], on_rest: Callable[[str, str, float], None] = lambda *rest: None,
    ) -> None:  # fmt: skip
        """`on_retry` is told of each call that brought no reply and is followed by another, of the same deployment or the next; `on_rest`
        of an endpoint that is left alone, why (empty when another process knows), and for how many seconds: 0 when it has come back."""
        self._deployments, self._locks, self._waits, self._wire = deployments, locks, waits, wire
        self._on_retry, self._on_rest = on_retry, on_rest
        self.providers = Providers(deployments)
        self._answered: set[Lane] = set()
        self._out: dict[Lane, ProviderFault] = {}  # those that nothing can be had of before the user changes something, and why
        self._lanes: dict[str, list[Lane]] = {}
        self._lengths: dict[tuple[str, str], float] = {}  # (deployment, stage) -> mean tokens of a reply

    def close(self) -> None:
        """Lets go of the lanes' files."""
        for lanes in self._lanes.values():
            for lane in lanes:
                lane.close()
        self._lanes.clear()

    async def send(self, request: Request) -> Sent:
        """The reply of the first deployment of the stage that gives one.

        Raises NoReply when none does, EnvironmentFault when none can until the user changes something, or none has for a long time.
        """
        faults: dict[str, ProviderFault] = {}  # of those that are not asked again for this request
        calls: Counter[tuple[str, bool]] = Counter()  # refusals counted by themselves: many of them use up no other fault's retries
        last: ProviderFault | None = None
        order = sorted(request.settings.models, key=request.avoid.__contains__)  # as declared, those to avoid last
        while True:
            faults |= {name: out for name in order if (out := self._gone(name)) is not None}
            left = [name for name in order if name not in faults]
            if not left:
                break
            lane = self._awake(left)
            if lane is None:
                await self._wake(left, last)
                continue
            name = lane.deployment.name
            try:
                return await self._call(lane, request, calls.total())
            except (Away, _Out):
                continue
            except ProviderFault as fault:
                last = fault
                kind = name, fault.cause == "rate_limited"
                calls[kind] += fault.cause not in UNCALLED
            if self._waits.allow(last, calls[kind]):
                self._on_retry(request, name, last)
                await asyncio.sleep(self._waits.before(calls[kind] - 1, last.retry_after))
            else:
                self._judge(lane, last)
                if lane not in self._out or self._gone(name) is not None:
                    faults[name] = last
                if len(faults) < len(order):
                    self._on_retry(request, name, last)
        gone = {name for name in faults if self._gone(name) is not None}
        if len(gone) == len(faults):
            raise EnvironmentFault("\n".join(self._advice(name, fault) for name, fault in faults.items()))
        # What is out for good says nothing about this request: name a fault that might have gone otherwise.
        raise NoReply(next(fault for name, fault in reversed(faults.items()) if name not in gone), calls.total())

    def _awake(self, names: Sequence[str]) -> Lane | None:
        """The least busy endpoint of the first of these deployments that has one that serves now, or soon."""
        most = SHORT_S if len(names) > 1 else self._waits.obeyed
        for name in names:
            serving = [lane for lane in self._lanes_of(name) if lane not in self._out and lane.serves(most)]
            if serving:
                return min(serving, key=lambda lane: (lane.load, lane.sent))
        return None

    async def _wake(self, names: Sequence[str], last: ProviderFault | None) -> None:
        """Waits until one of these deployments may be awake. Raises EnvironmentFault once none has answered for too long."""
        seen = [lane.away() for name in names for lane in self._lanes_of(name) if lane not in self._out]
        failing = min(failing for _, failing in seen)
        if failing > self._waits.patience:
            which = ", ".join(f"deployment.{name}" for name in names)
            raise EnvironmentFault(
                f"{which}: no reply for {failing / 60:.0f} minutes{f' ({last})' if last else ''}; everything paid for is kept, and "
                "`gland build` goes on from here once the provider answers"
            )
        await asyncio.sleep(min(WAKE_S, max(0.01, min(away for away, _ in seen))))

    async def _call(self, lane: Lane, request: Request, before: int) -> Sent:
        """One call. Raises ProviderFault; Away when the endpoint rests by the time it is its turn, _Out when it is out by then."""
        name = lane.deployment.name
        async with lane.turn(self._tokens(lane, request), request.discipline) as turn:
            if lane in self._out:
                raise _Out
            async with self._wire(name, request):
                sent_at, started = datetime.now(UTC), time.perf_counter()
                try:
                    completion = await self.providers.complete(name, request, lane.endpoint)
                except ProviderFault as fault:
                    self._tell(lane, turn, fault, alone=len(request.settings.models) == 1)
                    raise
                seconds = time.perf_counter() - started
            self._answered.add(lane)
            lane.replied(turn, completion.prompt_tokens + completion.completion_tokens, seconds, completion.limits)
            mean = self._lengths.get((name, request.stage), float(completion.completion_tokens))
            self._lengths[name, request.stage] = mean + LEARNED * (completion.completion_tokens - mean)
            return Sent(completion, name, before + 1, seconds, sent_at)

    def _tell(self, lane: Lane, turn: Turn, fault: ProviderFault, alone: bool) -> None:
        """Lets the lane know of a fault that says something about the endpoint rather than the request.

        What has never answered is not waited for: it may never do. It rests only where another deployment serves meanwhile.
        """
        if fault.cause == "rate_limited":
            lane.refused(turn, fault.retry_after, fault.limits)
        elif fault.cure is Cure.WAIT:
            never_there = not self._has_answered(lane.deployment.name) and (alone or fault.cause == "unreachable")
            lane.failed(turn, fault.cause, fault.retry_after, never_there)

    def _tokens(self, lane: Lane, request: Request) -> float:
        """About how many tokens prompt and reply will be: counted only where somebody counts them."""
        if not lane.counts_tokens:
            return 0.0
        said = sum(estimate_tokens(message.content) for message in request.messages)
        return said + self._lengths.get((lane.deployment.name, request.stage), float(request.settings.max_tokens))

    def _judge(self, lane: Lane, fault: ProviderFault) -> None:
        """Puts an endpoint out when nothing it can still say would be a reply."""
        wrong = fault.cure is Cure.PROVE and lane not in self._answered
        never_there = fault.cause == "unreachable" and not self._has_answered(lane.deployment.name)
        if fault.cure is Cure.MEND or wrong or never_there:
            self._out[lane] = fault

    def _has_answered(self, name: str) -> bool:
        return any(lane in self._answered for lane in self._lanes_of(name))

    def _gone(self, name: str) -> ProviderFault | None:
        """Why a deployment is out: all its endpoints are."""
        lanes = self._lanes.get(name)
        return self._out[lanes[0]] if lanes and all(lane in self._out for lane in lanes) else None

    def _lanes_of(self, name: str) -> list[Lane]:
        if name not in self._lanes:
            deployment = self._deployments[name]
            self._lanes[name] = [
                Lane(deployment, endpoint, self._locks, self._waits.outages, self._waits.obeyed, partial(self._on_rest, name))
                for endpoint in range(max(1, len(deployment.api_base)))
            ]
        return self._lanes[name]

    def _advice(self, name: str, fault: ProviderFault) -> str:
        deployment = self._deployments[name]
        where = ", ".join(deployment.api_base) or deployment.route or deployment.model
        what = {
            "missing_key": f"set {deployment.key_env} to its key",
            "missing_package": "install it, and run again",
            "auth_error": f"check the key in {deployment.key_env or 'its environment variable; name it as key_env'}",
            "out_of_credit": "top up the account, or name another deployment",
            "forbidden": f"see that its key may use {deployment.model}",
            "not_found": f"check `model`, `route` and `api_base`: {where} does not know it",
            "unreachable": f"start the server at {where}, or correct api_base",
            "unknown_provider": "put the provider in front of `model` or `route`: openai/NAME for a server that speaks OpenAI's protocol",
        }
        said = f"deployment.{name}: {fault.cause}: {fault.detail}; {what.get(fault.cause, 'see `gland validate --live`')}"
        return self.providers.redact(said)  # an address may hold a key in its path


class _Out(Exception):
    """The endpoint is out: found while a turn was waited for."""
