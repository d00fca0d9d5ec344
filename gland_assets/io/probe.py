"""Ask every deployment one tiny question, to see that it answers, how fast, and whether it keeps to a schema."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from gland_assets.core.errors import EnvironmentFault
from gland_assets.core.project import Deployment, Price, Project, StageSettings, Structured
from gland_assets.core.requests import Message, Rejected, Request
from gland_assets.core.structured import check_schema, json_of
from gland_assets.io.faults import ProviderFault
from gland_assets.io.prices import price_of
from gland_assets.io.providers import Completion, Providers, load_litellm

SCHEMA = {
    "type": "object", "properties": {"color": {"type": "string", "maxLength": 20}}, "required": ["color"], "additionalProperties": False,
}  # fmt: skip
QUESTION = 'Name one color. Reply with JSON such as {"color": "red"}.'
TOKENS = 512  # room for a model that thinks before it answers


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one endpoint of one deployment did with one tiny request."""

    deployment: str
    endpoint: str | None  # of api_base, free of keys; None: the provider's own
    ok: bool  # it answered, and its key is good
    model: str | None  # as it calls itself
    form: Structured  # how it was asked for JSON
    structured: bool | None  # whether the reply fitted the schema; None when there was no text
    latency_s: float | None
    prompt_tokens: int
    completion_tokens: int
    price: Price | None  # None: unknown
    error: str | None  # free of keys


async def probe(project: Project) -> list[ProbeResult]:
    """One request to each endpoint of each deployment, all at once, in declared order. Nothing is stored; a few tokens are paid for."""
    await asyncio.to_thread(load_litellm)  # now, or its import would count as the first reply's latency
    providers = Providers(project.deployments)
    places = [(deployment, endpoint) for deployment in project.deployments.values() for endpoint in range(max(1, len(deployment.api_base)))]
    return await asyncio.gather(*(_probe(providers, deployment, endpoint) for deployment, endpoint in places))


async def _probe(providers: Providers, deployment: Deployment, endpoint: int) -> ProbeResult:
    name, form, price = deployment.name, deployment.structured, price_of(deployment)
    place = providers.redact(deployment.api_base[endpoint]) if deployment.api_base else None  # its path may hold a key
    settings = StageSettings((name,), temperature=0.0, top_p=1.0, max_tokens=TOKENS)
    request = Request("validate", "", "", (Message("user", QUESTION),), "", settings, seed=0, schema=SCHEMA)
    started = time.perf_counter()
    try:
        reply = await providers.complete(name, request, endpoint)
    except (ProviderFault, EnvironmentFault) as fault:
        return ProbeResult(name, place, False, None, form, None, None, 0, 0, price, str(fault))
    latency_s = time.perf_counter() - started
    structured, error = _judged(reply, form)
    return ProbeResult(
        name, place, True, reply.model, form, structured, latency_s, reply.prompt_tokens, reply.completion_tokens, price,
        error and providers.redact(error),
    )  # fmt: skip


def _judged(reply: Completion, form: Structured) -> tuple[bool | None, str | None]:
    """Whether the reply fits the schema, and what is wrong with it."""
    if reply.reasoned and not reply.text.strip():
        return (
            None,
            f"it thought until its {TOKENS} tokens were used up; raise max_tokens of its stages, or turn its thinking off in `extra`",
        )
    try:
        check_schema(json_of(reply.text), SCHEMA)
    except Rejected as rejected:
        others = [other for other in ("json_schema", "json_object", "none") if other != form]
        return False, f"structured output does not work: {rejected}; set structured to {' or '.join(others)}, or name another model"
    return True, None
