"""Ask every deployment one tiny question, to see that it answers, how fast, and whether it keeps to a schema."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from gland_assets.core.errors import EnvironmentFault
from gland_assets.core.project import Price, Project, StageSettings
from gland_assets.core.requests import Message, Rejected, Request
from gland_assets.core.structured import check_schema, json_of
from gland_assets.io.faults import ProviderFault
from gland_assets.io.prices import price_of
from gland_assets.io.providers import Providers

SCHEMA = {
    "type": "object", "properties": {"color": {"type": "string", "maxLength": 20}}, "required": ["color"], "additionalProperties": False,
}  # fmt: skip
QUESTION = 'Name one color. Reply with JSON such as {"color": "red"}.'
TOKENS = 512  # room for a model that thinks before it answers


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one deployment did with one tiny request."""

    deployment: str
    ok: bool  # it answered, and its key is good
    model: str | None  # as it calls itself
    structured: bool | None  # whether the reply fitted the schema; None when there was no reply
    latency_s: float | None
    prompt_tokens: int
    completion_tokens: int
    price: Price | None  # None: unknown
    error: str | None  # free of keys


async def probe(project: Project) -> list[ProbeResult]:
    """One request to each deployment, all at once, in declared order. Nothing is stored; a few tokens are paid for."""
    providers = Providers(project.deployments)
    return await asyncio.gather(*(_probe(project, providers, name) for name in project.deployments))


async def _probe(project: Project, providers: Providers, name: str) -> ProbeResult:
    price = price_of(project.deployments[name])
    settings = StageSettings((name,), temperature=0.0, top_p=1.0, max_tokens=TOKENS)
    request = Request("validate", "", "", (Message("user", QUESTION),), "", settings, seed=0, schema=SCHEMA)
    started = time.perf_counter()
    try:
        reply = await providers.complete(name, request)
    except (ProviderFault, EnvironmentFault) as fault:
        return ProbeResult(name, False, None, None, None, 0, 0, price, str(fault))
    latency_s = time.perf_counter() - started
    try:
        check_schema(json_of(reply.text), SCHEMA)
    except Rejected as rejected:
        error = providers.redact(f"structured output does not work: {rejected}; set structured to json_object or none")
        return ProbeResult(name, True, reply.model, False, latency_s, reply.prompt_tokens, reply.completion_tokens, price, error)
    return ProbeResult(name, True, reply.model, True, latency_s, reply.prompt_tokens, reply.completion_tokens, price, None)
