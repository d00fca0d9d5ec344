"""One call to one deployment, through litellm. litellm is imported at the first call: a build that reuses everything never pays for it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
import warnings
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from gland_assets.core.cost import estimate_tokens
from gland_assets.core.errors import EnvironmentFault
from gland_assets.core.project import Deployment
from gland_assets.core.requests import Request
from gland_assets.core.structured import schema_in_words
from gland_assets.core.thought import without_thought
from gland_assets.io import local_model
from gland_assets.io.direct import Forms
from gland_assets.io.extras import lacking_extra
from gland_assets.io.faults import ProviderFault, Redactor, fault_of, limits_of
from gland_assets.io.wire import FIRST_BYTE, bound, open_session

if TYPE_CHECKING:
    from aiohttp import ClientSession

OPENAI_LIKE = (
    "openai/", "hosted_vllm/", "openai_like/", "custom_openai/", "text-completion-openai/", "aiohttp_openai/", "llamafile/", "lm_studio/",
    "litellm_proxy/",
)  # fmt: skip
NO_KEY = "none"
"""Sent to a server that asks for no key, so that litellm does not send it the user's OpenAI key instead."""

YOUNG = 20_000  # new objects after which Python looks for waste; requests leave next to none that it would not find at once

MOST_TOKENS = 10**9  # that are believed of one call: a count beyond any model's would fit no budget and no file

_importing = threading.Lock()


@dataclass(frozen=True, slots=True)
class Completion:
    """What a provider answered."""

    text: str
    finish_reason: str
    model: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    limits: Mapping[str, str] = field(default_factory=dict)  # the headers that speak of rate limits, names in lower case
    reasoned: bool = False  # it thought beside the text, or instead of one


class Providers:
    """The way to every deployment of a project. Holds nothing that belongs to one event loop."""

    def __init__(self, deployments: Mapping[str, Deployment]) -> None:
        self._deployments = deployments
        self.redact = Redactor(
            (each.key_env for each in deployments.values() if each.key_env),
            (each.extra for each in deployments.values()),
        )
        self._forms = Forms()

    async def complete(self, name: str, request: Request, endpoint: int = 0) -> Completion:
        """The deployment's reply to `request` from its `endpoint`-th api_base: one call, within the deployment's deadlines.

        Raises ProviderFault, its text free of keys and nothing behind it; EnvironmentFault when the local model is not installed, or the
        certificates to trust cannot be read.
        """
        deployment = self._deployments[name]
        key = self._key(deployment)
        if (lacking := lacking_extra(deployment)) is not None:
            raise ProviderFault("missing_package", "; ".join(lacking))
        litellm = load_litellm()
        if deployment.local:
            await asyncio.to_thread(local_model.register, litellm)
        arguments = self._arguments(deployment, request, key, endpoint)
        if arguments["model"].startswith(("ollama/", "ollama_chat/")):
            # Of a model that is not in its price table litellm asks the Ollama of this machine, wherever the deployment's own is.
            litellm.model_cost.setdefault(arguments["model"], {"litellm_provider": "ollama", "mode": "chat"})
        session = await _session(litellm)
        try:
            async with asyncio.timeout(deployment.timeout):
                form = None if deployment.local else self._forms.form(litellm, arguments, deployment.extra)
                if form is None:
                    FIRST_BYTE.set(deployment.first_byte_timeout)
                    response = await litellm.acompletion(**arguments)
                    headers = _headers_of(response)
                else:
                    response, headers = await form.ask(session, arguments["messages"], request.seed, deployment.first_byte_timeout)
            return _completion(response, headers, request, deployment)
        except TimeoutError:
            fault = ProviderFault("timeout", f"no reply within {deployment.timeout:g} s")
        except Exception as error:
            fault = fault_of(error, self.redact)
        # Here, where no exception is being handled: those that came before hold the request's headers, and would hang on this one.
        raise fault

    def _key(self, deployment: Deployment) -> str | None:
        if deployment.key_env is not None:
            key = os.environ.get(deployment.key_env, "").strip()
            if not key:
                raise ProviderFault("missing_key", f"the environment variable {deployment.key_env} is not set")
            return key
        return NO_KEY if deployment.api_base and (deployment.route or deployment.model).startswith(OPENAI_LIKE) else None

    def _arguments(self, deployment: Deployment, request: Request, key: str | None, endpoint: int) -> dict[str, Any]:
        settings = request.settings
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        arguments: dict[str, Any] = {
            "model": deployment.route or deployment.model, "messages": messages, "temperature": settings.temperature,
            "top_p": settings.top_p, "max_tokens": settings.max_tokens, "seed": request.seed, "api_key": key,
            "timeout": deployment.timeout, "num_retries": 0, "max_retries": 0, "drop_params": True, "no-log": True,
        }  # fmt: skip
        if deployment.api_base:
            arguments["api_base"] = deployment.api_base[endpoint]
        if request.schema is not None:
            if deployment.structured == "json_schema":
                form = {"name": request.stage, "schema": request.schema, "strict": True}
                arguments["response_format"] = {"type": "json_schema", "json_schema": form}
            else:
                messages[-1]["content"] += "\n\n" + schema_in_words(request.schema)
            if deployment.structured == "json_object":
                arguments["response_format"] = {"type": "json_object"}
        return arguments | dict(deployment.extra)


_open: dict[asyncio.AbstractEventLoop, tuple[ClientSession, AsyncGenerator[ClientSession, None]]] = {}
"""The session of each event loop that is running, and what closes it."""


async def _session(litellm: Any) -> ClientSession:
    """The session of this event loop, which is closed when the loop ends, as are litellm's own connections."""
    loop = asyncio.get_running_loop()
    if loop not in _open:
        # asyncio.run closes the loop's unfinished async generators last of all: the one moment a library can count on.
        closing = _until_the_end(litellm, loop)
        _open[loop] = (await anext(closing), closing)
    return _open[loop][0]


async def _until_the_end(litellm: Any, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[ClientSession, None]:
    from litellm.llms.custom_httpx.http_handler import get_ssl_configuration

    try:
        trusted = get_ssl_configuration()
    except OSError as error:  # ssl.SSLError is one
        raise EnvironmentFault(f"the certificates that SSL_CERT_FILE names cannot be read: {error}; correct it, or unset it") from None
    session = open_session(trusted)
    try:
        yield session
    finally:
        del _open[loop]
        await session.close()
        cached = litellm.in_memory_llm_clients_cache.cache_dict
        for key in [key for key in cached if key.endswith(f"-{id(loop)}")]:
            client = cached.pop(key)
            close = getattr(client, "close", None) or getattr(client, "aclose", None)
            try:
                closing = close() if close else None
                if asyncio.iscoroutine(closing):
                    await closing
            except Exception:  # the build is done with it; a client that will not close goes with its process
                continue


def load_litellm() -> Any:
    """The litellm module, silent, without network access of its own. The first call costs seconds, later ones nothing."""
    with _importing:
        return _litellm()


@cache
def _litellm() -> Any:
    # Without these it fetches a price table and a list of Anthropic's headers, and reads .env files.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = os.environ["LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS"] = "True"
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")
    # Of no use to our users, and written over the progress display; some come only at the first call.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"pydantic\b")
    with _nothing_collected():
        import litellm
        from litellm.llms.custom_httpx.aiohttp_transport import LiteLLMAiohttpTransport
    bound(LiteLLMAiohttpTransport)
    _silence(litellm)
    return litellm


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Python's collector rests inside; afterwards it never looks through what is there by then, and more seldom at what comes."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
        if collecting:
            gc.enable()


def _silence(litellm: Any) -> None:
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.set_verbose = False
    for name in ("callbacks", "success_callback", "failure_callback", "_async_success_callback", "_async_failure_callback"):
        setattr(litellm, name, [])
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).disabled = True
    for name in ("httpx", "httpcore", "openai", "aiohttp.client"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _completion(response: Any, headers: Mapping[str, str], request: Request, deployment: Deployment) -> Completion:
    if not response.choices:
        raise ProviderFault("provider_error", "the reply has no choices", limits=limits_of(headers))
    choice, usage = response.choices[0], getattr(response, "usage", None)
    # A lone surrogate (half an emoji, cut by the token limit) is no valid UTF-8: no file would take it.
    said = (choice.message.content or "").encode("utf-8", "replace").decode("utf-8")
    text, thought = without_thought(said)
    prompt_tokens, completion_tokens = (getattr(usage, name, 0) or 0 for name in ("prompt_tokens", "completion_tokens"))
    counts = bool(prompt_tokens or completion_tokens) and min(prompt_tokens, completion_tokens) >= 0
    if not counts or max(prompt_tokens, completion_tokens) > MOST_TOKENS:  # the server counts nothing, or miscounts
        prompt_tokens = sum(estimate_tokens(message.content) for message in request.messages)
        completion_tokens = estimate_tokens(said)
    cached = max(0, min(prompt_tokens, getattr(getattr(usage, "prompt_tokens_details", None), "cached_tokens", 0) or 0))
    thinking = getattr(getattr(usage, "completion_tokens_details", None), "reasoning_tokens", 0) or 0
    shown = any(getattr(choice.message, name, None) for name in ("reasoning_content", "thinking_blocks"))
    # litellm takes the provider's name off; the bundled model is known by its whole name, so that its rows can be labelled.
    model = deployment.model if deployment.local else response.model or ""
    return Completion(
        text, choice.finish_reason or "stop", model, prompt_tokens, cached, completion_tokens, limits_of(headers),
        reasoned=thought or shown or thinking > 0,
    )  # fmt: skip


def _headers_of(response: Any) -> Mapping[str, str]:
    """The reply's headers as litellm hands them on, their names as the provider wrote them."""
    told = getattr(response, "_hidden_params", {}).get("additional_headers") or {}
    return {str(name).removeprefix("llm_provider-"): str(value) for name, value in told.items()}
