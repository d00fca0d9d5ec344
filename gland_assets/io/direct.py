"""The direct road to a provider: litellm's own translation of request and reply, over a session of ours.

`litellm.acompletion` spends most of its time on what is the same for every request of a stage. Here that is done once: `Forms.form` takes
the steps of litellm 1.106's `completion` up to its handler, and `Form.ask` those of its handler, `BaseLLMHTTPHandler.completion`, in their
order. What is not in HOMES, and a deployment with settings that `completion` itself interprets, takes the long road.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from gland_assets.io.faults import ProviderFault
from gland_assets.io.plain import plain_reply
from gland_assets.io.wire import Answer, post

if TYPE_CHECKING:
    import aiohttp

SEED = 7_046_029_254_386_353_087
"""Stands for the seed while a request's parameters are worked out: no provider's setting has this value."""

MOST_FORMS = 512
PLAIN = frozenset({"stop", "presence_penalty", "frequency_penalty", "logit_bias", "reasoning_effort", "verbosity", "service_tier", "user"})
"""Arguments of litellm.completion that it does nothing with but translate."""

THEIRS = ("aws_", "vertex_", "azure_")
SWITCHES = ("USE_LITELLM_PROXY", "LITELLM_ANTHROPIC_DISABLE_URL_SUFFIX", "EXPERIMENTAL_OPENAI_BASE_LLM_HTTP_HANDLER")
"""Environment variables that send litellm another way."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where litellm finds a provider, and its key, when neither the deployment nor litellm's provider table says so."""

    base: str | None = None
    base_env: tuple[str, ...] = ()
    key_env: tuple[str, ...] = ()
    keyless: bool = False
    sdk: bool = False  # litellm calls it through OpenAI's package, which has two headers of its own


HOMES: Mapping[str, Home] = {
    "openai": Home("https://api.openai.com/v1", ("OPENAI_BASE_URL", "OPENAI_API_BASE"), ("OPENAI_API_KEY",), sdk=True),
    "anthropic": Home("https://api.anthropic.com", ("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"), ("ANTHROPIC_API_KEY",)),
    "openrouter": Home("https://openrouter.ai/api/v1", ("OPENROUTER_API_BASE",), ("OPENROUTER_API_KEY", "OR_API_KEY")),
    "mistral": Home("https://api.mistral.ai/v1", ("MISTRAL_API_BASE",), ("MISTRAL_API_KEY",)),
    "groq": Home("https://api.groq.com/openai/v1", ("GROQ_API_BASE",), ("GROQ_API_KEY",)),
    "together_ai": Home(),
    "deepseek": Home(key_env=("DEEPSEEK_API_KEY",)),
    "hosted_vllm": Home(base_env=("HOSTED_VLLM_API_BASE",), keyless=True),
    "litellm_proxy": Home(sdk=True),
    "llamafile": Home(sdk=True, keyless=True),
    "lm_studio": Home(sdk=True, keyless=True),
    "ollama_chat": Home("http://localhost:11434", ("OLLAMA_API_BASE",), ("OLLAMA_API_KEY",), keyless=True),
}
"""The providers of the direct road, by litellm's names: tests/io/test_roads.py shows for each that both roads do the same."""


class Silent:
    """Stands in for litellm's logging object, of which the transforms call these."""

    def __init__(self) -> None:
        self.model_call_details: dict[str, Any] = {}
        self.optional_params: dict[str, Any] = {}

    def pre_call(self, *args: Any, **kwargs: Any) -> None:
        """Logs nothing."""

    def post_call(self, *args: Any, **kwargs: Any) -> None:
        """Logs nothing."""


@dataclass(frozen=True, slots=True, repr=False)
class Form:
    """All that requests to one endpoint have in common that differ in text and seed alone. Holds the key: not to be shown."""

    litellm: Any
    config: Any  # litellm's translator for the provider
    provider: str
    model: str
    url: str
    proxy: str | None
    key: str | None
    headers: Mapping[str, str]
    settings: str  # JSON: the parameters as the provider knows them, and those for its body alone, with SEED for the seed
    json_mode: bool
    plain: bool  # its replies are OpenAI's own, read by litellm as those
    params: Mapping[str, Any]  # litellm_params

    async def ask(
        self, session: aiohttp.ClientSession, messages: list[dict[str, str]], seed: int, first_byte: float | None
    ) -> tuple[Any, Mapping[str, str]]:
        """litellm's ModelResponse, and the headers it came with. `first_byte`: seconds until the answer must begin.

        Raises what litellm.acompletion would, with the headers beside it as `litellm_response_headers`, and what `post` raises.
        """
        # A copy for each: the transforms write into it.
        optional, extra_body = json.loads(self.settings.replace(str(SEED), str(seed)))
        params, headers = dict(self.params), dict(self.headers)
        body = self.config.transform_request(
            model=self.model, messages=messages, optional_params=optional, litellm_params=params, headers=headers
        )
        if extra_body is not None:
            body |= self.config.transform_extra_body(extra_body=extra_body, request=body, model=self.model, litellm_params=params)
        if self.provider == "anthropic":
            headers, body = _without_foreign_betas(headers, body)
        headers, signed = self.config.sign_request(
            headers=headers, optional_params=optional, request_data=body, api_base=self.url, api_key=self.key, stream=None,
            fake_stream=False, model=self.model,
        )  # fmt: skip
        raw = signed if signed is not None else json.dumps(body, separators=(",", ":")).encode()
        answer = await post(session, self.url, headers, raw, self.proxy, first_byte)
        try:
            return self._read(answer, messages, optional, params, body), answer.headers
        except Exception as error:
            failed = self._told(error)
        failed.litellm_response_headers = answer.headers  # type: ignore[attr-defined]
        raise failed

    def _read(self, answer: Answer, messages: list[dict[str, str]], optional: Any, params: Any, body: Any) -> Any:
        if self.plain and answer.status == 200 and (read := plain_reply(answer.body)) is not None:
            return read
        import httpx  # litellm's; its transforms take no other response

        if not 200 <= answer.status < 300:
            text = answer.body.decode("utf-8", "replace")
            raise self.config.get_error_class(error_message=text, status_code=answer.status, headers=dict(answer.headers))
        reply = self.litellm.ModelResponse()
        reply.usage = self.litellm.Usage()
        if HOMES[self.provider].sdk and self.provider != "openai":
            reply.model = f"{self.provider}/{self.model}"
        return self.config.transform_response(
            model=self.model, raw_response=httpx.Response(200, content=answer.body), model_response=reply, logging_obj=Silent(),
            request_data=body, messages=messages, optional_params=optional, litellm_params=params, encoding=None, api_key=self.key,
            json_mode=self.json_mode,
        )  # fmt: skip

    def _told(self, error: Exception) -> Exception:
        """The error by litellm's own name for its kind."""
        try:
            self.litellm.exception_type(
                model=self.model, original_exception=error, custom_llm_provider=self.provider, completion_kwargs={}, extra_kwargs={}
            )
        except Exception as named:
            return named
        return error


def _without_foreign_betas(headers: dict[str, str], body: dict[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    from litellm.anthropic_beta_headers_manager import update_request_with_filtered_beta

    kept: tuple[dict[str, str], dict[str, Any]] = update_request_with_filtered_beta(
        headers=headers, request_data=body, provider="anthropic"
    )
    return kept


class Forms:
    """The forms in use, each worked out once."""

    def __init__(self) -> None:
        self._known: dict[Any, Form | None] = {}

    def form(self, litellm: Any, arguments: Mapping[str, Any], extra: Mapping[str, Any]) -> Form | None:
        """How a call of litellm.acompletion with `arguments`, of which `extra` are the deployment's own, goes by the direct road.

        None when it cannot: then litellm itself is called. Raises ProviderFault when neither could.
        """
        shape = {name: value for name, value in arguments.items() if name not in ("messages", "seed")}
        key = json.dumps(shape, sort_keys=True)
        if key not in self._known:
            if len(self._known) >= MOST_FORMS:
                self._known.pop(next(iter(self._known)))
            self._known[key] = _form(litellm, arguments) if _plain(litellm, extra) else None
        return self._known[key]


def _plain(litellm: Any, extra: Mapping[str, Any]) -> bool:
    """Whether litellm.completion does no more with these settings than pass them on, and nothing sends it another way."""
    named = {*inspect.signature(litellm.completion).parameters, *inspect.signature(litellm.get_optional_params).parameters}
    named |= set(litellm.OPENAI_CHAT_COMPLETION_PARAMS)
    owned = litellm.utils.is_litellm_owned_kwarg
    plain = all(name in PLAIN or not (name in named or owned(name) or name.startswith(THEIRS)) for name in extra)
    return plain and not any(os.environ.get(name) for name in SWITCHES)


def _form(litellm: Any, arguments: Mapping[str, Any]) -> Form | None:
    """The steps of litellm.completion up to the provider's handler. Raises ProviderFault where its HTTP would fail for ever."""
    try:
        model, provider, key, base = litellm.get_llm_provider(
            model=arguments["model"], api_base=arguments.get("api_base"), api_key=arguments["api_key"]
        )
    except Exception:  # no such provider: the long road says so
        return None
    if provider not in HOMES:
        return None
    bridge, model = litellm.main.responses_api_bridge_check(
        model=model, custom_llm_provider=provider, web_search_options=None, api_base=base
    )
    config = litellm.ProviderConfigManager.get_provider_chat_config(model=model, provider=litellm.LlmProviders(provider))
    if bridge.get("mode") == "responses" or config is None or config.uses_async_transform_request:
        return None
    home, given = HOMES[provider], key or arguments["api_key"]
    params = litellm.get_litellm_params(
        acompletion=True, api_key=given, custom_llm_provider=provider, api_base=base, no_log=True, drop_params=True, max_retries=0,
        timeout=arguments["timeout"],
    )  # fmt: skip
    optional = _optional(litellm, arguments, model, provider)
    key = given or _from_environment(home.key_env)
    base = base or _from_environment(home.base_env) or home.base
    json_mode = optional.pop("json_mode", False)
    extra_body = None if provider == "anthropic" else optional.pop("extra_body", None)  # Anthropic's handler knows no such thing
    for name in ("fake_stream", "max_retries") if home.sdk else ("fake_stream",):
        optional.pop(name, None)
    if base is None or not (key or home.keyless):
        return None
    headers = config.validate_environment(
        api_key=key, headers=_headers(home, provider, key), model=model, messages=list(arguments["messages"]),
        optional_params=dict(optional), api_base=base, litellm_params=dict(params),
    )  # fmt: skip
    url = _url(config, base, key, model, provider, optional, params)
    if "@" in urlsplit(url).netloc and "authorization" in map(str.lower, headers):  # from the environment: no file may hold one
        raise ProviderFault("auth_error", "its address holds a password, and no key is sent beside one; take it out of the environment")
    proxy = _proxy(url)
    if proxy is not None and not proxy.startswith("http"):  # SOCKS, which aiohttp does not speak
        return None
    read_as_openai = type(config).transform_response is litellm.OpenAIGPTConfig.transform_response
    plain = read_as_openai and not json_mode and not (home.sdk and provider != "openai")
    return Form(litellm, config, provider, model, url, proxy, key, headers, json.dumps([optional, extra_body]), json_mode, plain, params)


def _optional(litellm: Any, arguments: Mapping[str, Any], model: str, provider: str) -> dict[str, Any]:
    """The sampling parameters as the provider knows them."""
    named = inspect.signature(litellm.completion).parameters
    passed = {name: value for name, value in arguments.items() if name in named and name in litellm.OPENAI_CHAT_COMPLETION_PARAMS}
    for name in ("timeout", "api_key"):
        passed.pop(name, None)
    rest = {name: value for name, value in arguments.items() if name not in named}
    passed |= litellm.utils.get_non_default_completion_params(rest)
    passed |= {"model": model, "custom_llm_provider": provider, "messages": list(arguments["messages"])}
    passed |= {"seed": SEED, "stream": None, "max_retries": 0}
    optional: dict[str, Any] = litellm.get_optional_params(**passed)
    return optional


def _headers(home: Home, provider: str, key: str | None) -> dict[str, str]:
    """What litellm's dispatcher for the provider sends before its translator adds to it."""
    if provider == "openrouter":
        named = {"HTTP-Referer": os.environ.get("OR_SITE_URL"), "X-Title": os.environ.get("OR_APP_NAME")}
        return {"HTTP-Referer": named["HTTP-Referer"] or "https://litellm.ai", "X-Title": named["X-Title"] or "liteLLM"}
    if provider == "ollama_chat" and key:
        return {"Authorization": f"Bearer {key}"}
    if home.sdk:
        named = {
            "OpenAI-Organization": _from_environment(("OPENAI_ORGANIZATION", "OPENAI_ORG_ID")),
            "OpenAI-Project": _from_environment(("OPENAI_PROJECT_ID",)),
        }
        return {name: value for name, value in named.items() if value}
    return {}


def _url(config: Any, base: str, key: str | None, model: str, provider: str, optional: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    if provider == "anthropic":
        return base if base.endswith("/v1/messages") else base + "/v1/messages"
    url: str = config.get_complete_url(
        api_base=base, api_key=key, model=model, optional_params=dict(optional), stream=None, litellm_params=dict(params)
    )
    return url


def _from_environment(names: tuple[str, ...]) -> str | None:
    return next((value for name in names if (value := os.environ.get(name))), None)


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for `url`. Not left to aiohttp, which would look for a .netrc at every call."""
    parts = urlsplit(url)
    proxies = getproxies_environment()
    if proxy_bypass_environment(parts.netloc, proxies):
        return None
    return proxies.get(parts.scheme) or proxies.get("all")
