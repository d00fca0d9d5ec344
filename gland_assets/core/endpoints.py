"""Deployments as declared, checked beyond their shape, and the one that stands in when none is declared."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from gland_assets.core.project import LOCAL_MODEL, Deployment, Price
from gland_assets.core.redaction import secret_in_address
from gland_assets.core.source import Source
from gland_assets.core.taxonomy import DeploymentTable, PriceTable, TaxonomyFile

LOCAL_NAME = "local"
_FREE = Price(Decimal(0), Decimal(0), Decimal(0))
_LOCAL: dict[str, Any] = {"max_parallel_requests": 1, "context": 2048, "price": _FREE, "structured": "json_schema"}
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_PLAIN = (
    "model", "revision", "route", "key_env", "rpm", "tpm", "max_parallel_requests", "timeout", "first_byte_timeout", "context",
    "structured",
)  # fmt: skip


def local_deployment() -> Deployment:
    """The bundled demonstration model, for a project that declares no deployment at all."""
    return Deployment(LOCAL_NAME, LOCAL_MODEL, **_LOCAL)


def deployments_of(source: Source[TaxonomyFile]) -> dict[str, Deployment]:
    """Every deployment of the file by name, in declared order; what is wrong with one is noted in `source`."""
    declared = source.content.deployment
    if not declared and not any(path[:1] == ("deployment",) for path in source.bad):
        return {LOCAL_NAME: local_deployment()}
    return {name: _deployment(source, name, table) for name, table in declared.items()}


def _deployment(source: Source[TaxonomyFile], name: str, table: DeploymentTable) -> Deployment:
    at = ("deployment", name)
    check_name(source, at)
    if table.model is None:
        source.fault((*at, "model"), "has no model", 'add model = "…", the name that identifies its weights')
    for key in table.extra:
        if re.sub(r"[^a-z]", "", key.lower()) in {"apikey", "authorization", "token"}:
            source.fault((*at, "extra", key), f"`extra.{key}` would store a key", "name its environment variable in `key_env` instead")
    try:
        json.dumps(table.model_dump()["extra"], allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        fix = "use texts, finite numbers, true, false, lists and tables"
        source.fault((*at, "extra"), "`extra` holds a value that JSON cannot carry", fix)
    said = {key: value for key in _PLAIN if (value := getattr(table, key)) is not None}
    if table.api_base:
        _check_addresses(source, (*at, "api_base"), table.api_base)
        said["api_base"] = tuple(table.api_base)
    if table.usd_per_million is not None:
        said["price"] = _price(source, (*at, "usd_per_million"), table.usd_per_million)
    base = _LOCAL if table.model == LOCAL_MODEL else {}
    return Deployment(**{"name": name, "model": "", "extra": table.extra, **base, **said})


def check_name(source: Source[TaxonomyFile], at: tuple[str, str]) -> None:
    """Note it when the name in a header such as [deployment.NAME] is out of shape."""
    if not _NAME.fullmatch(at[1]):
        source.fault(at, f"the name {at[1]!r} is out of shape", "use 1 to 80 letters, digits, dots, hyphens and underscores")


def _check_addresses(source: Source[TaxonomyFile], at: tuple[str, ...], addresses: Sequence[str]) -> None:
    for place, address in enumerate(addresses):
        try:
            secret = secret_in_address(address)
        except ValueError:
            source.fault((*at, place), "`api_base` is not a URL", "start it with http:// or https:// and the server's name")
            continue
        if secret:
            fix = "take it out, and name the environment variable that holds the key in `key_env`"
            source.fault((*at, place), "`api_base` would store a password or a key", fix)


def _price(source: Source[TaxonomyFile], at: tuple[str, ...], table: PriceTable) -> Price:
    for key in ("input", "output"):
        if getattr(table, key) is None:
            source.fault((*at, key), f"`usd_per_million` has no `{key}`", "give input and output, in dollars per million tokens")
    cached = None if table.cached_input is None else dollars(table.cached_input)
    return Price(dollars(table.input or 0), dollars(table.output or 0), cached)


def dollars(amount: float) -> Decimal:
    """The amount as it was written, not as binary keeps it."""
    return Decimal(str(amount))


def check_room(source: Source[TaxonomyFile], deployments: Mapping[str, Deployment], longest: Mapping[tuple[str, str], int]) -> None:
    """Note each deployment whose context cannot hold the longest reply asked of it, by (deployment, stage), and a prompt beside it."""
    for (name, stage), tokens in sorted(longest.items()):
        deployment = deployments.get(name)
        if deployment and deployment.context is not None and tokens >= deployment.context:
            what = f"a context of {deployment.context} tokens has no room for a prompt beside max_tokens = {tokens} of stage {stage}"
            source.fault(("deployment", name, "context"), what, f"lower `max_tokens` in [stage.{stage}] or name another model for it")


def check_language(source: Source[TaxonomyFile], deployments: Mapping[str, Deployment], asked: Iterable[str]) -> None:
    """Note it when the bundled model, which was taught English alone, is among the deployments `asked` for another language."""
    language = source.content.dataset.language
    if language.partition("-")[0] != "en" and any(name in deployments and deployments[name].local for name in asked):
        what = f"the bundled local model writes English alone, and `language` is {language!r}"
        fix = 'declare a [deployment.NAME] whose model writes it, or set language = "en"'
        source.fault(("dataset", "language"), what, fix)
