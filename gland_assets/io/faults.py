"""What providers do wrong, as one small total map: a cause by name, and whether waiting, moving on or only the user can cure it."""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from math import isfinite
from typing import Any

from gland_assets.core.redaction import SECRET_NAME, blanked
from gland_assets.core.requests import PASSING


class Cure(Enum):
    """What may help after a fault."""

    WAIT = "the same deployment may answer later"
    MOVE = "another deployment may answer"
    PROVE = "MEND while the deployment has never answered, MOVE once it has"
    MEND = "no call to this deployment can succeed before the user changes something"


CAUSES: Mapping[str, Cure] = {
    **dict.fromkeys(PASSING, Cure.WAIT),
    "context_length": Cure.MOVE,
    "content_filter": Cure.MOVE,
    "bad_request": Cure.MOVE,
    "unexpected": Cure.MOVE,
    "forbidden": Cure.PROVE,
    "not_found": Cure.PROVE,
    "out_of_credit": Cure.MEND,
    "auth_error": Cure.MEND,
    "missing_key": Cure.MEND,
    "missing_package": Cure.MEND,
    "unknown_provider": Cure.MEND,
}
"""Every cause a provider's fault can have, and its cure."""

STATUS = {
    400: "bad_request", 401: "auth_error", 402: "out_of_credit", 403: "forbidden", 404: "not_found", 408: "timeout", 409: "provider_error",
    413: "context_length", 422: "bad_request", 425: "provider_error", 429: "rate_limited", 504: "timeout",
}  # fmt: skip
NAMES = {"ContextWindowExceededError": "context_length", "ContentPolicyViolationError": "content_filter"}
NO_CREDIT = re.compile(r"insufficient[_ ](?:quota|balance|credits?)|exceeded your current quota|credit balance is too low", re.IGNORECASE)
TOO_LONG = re.compile(
    r"context[_ ](?:size|length|window)|maximum context|too many tokens|(?:prompt|input) is too long|maximum number of tokens",
    re.IGNORECASE,
)
FILTERED = re.compile(r"content[_ ](?:filter|policy|management policy)|safety system|ResponsibleAIPolicy", re.IGNORECASE)
OF_LIMITS = ("retry-after", "x-ratelimit-", "anthropic-ratelimit-")
BROKEN = frozenset({"ReadError", "RemoteProtocolError", "ClientConnectionError", "ClientPayloadError", "ClientResponseError"})
"""Exceptions of httpx and aiohttp for a connection that failed or broke off, or on which no HTTP was spoken; others descend from them."""

UNREADABLE = (ValueError, LookupError, TypeError, AttributeError)
"""What reading a reply of an unexpected form ends in; litellm calls many of these a connection error."""


class ProviderFault(Exception):
    """A call to a provider that brought no reply. `detail` is free of keys; `retry_after` in seconds."""

    def __init__(self, cause: str, detail: str, retry_after: float | None = None, limits: Mapping[str, str] | None = None) -> None:
        self.cause, self.detail, self.retry_after = cause, detail, retry_after
        self.limits = limits or {}  # the headers that speak of rate limits, names in lower case
        super().__init__(f"{cause}: {detail}")

    @property
    def cure(self) -> Cure:
        """What may help."""
        return CAUSES[self.cause]


def fault_of(error: BaseException, redact: Redactor) -> ProviderFault:
    """Any exception from a call as a fault, one that stands behind it included; its text without keys and cut to 500 characters."""
    known = next((each for each in _chain(error) if isinstance(each, ProviderFault)), None)
    if known is not None:
        return ProviderFault(known.cause, redact(known.detail)[:500], known.retry_after, known.limits)
    said = redact(str(error) or type(error).__name__)
    limits = next((found for headers in _headers(error) if (found := limits_of(headers))), {})
    return ProviderFault(_cause(error, said), said.partition("\nTraceback")[0][:500], retry_after(limits), limits)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _cause(error: BaseException, said: str) -> str:
    chain = list(_chain(error))
    if "LLM Provider NOT provided" in said:
        return "unknown_provider"
    for each in chain:
        if type(each).__name__ in NAMES:
            return NAMES[type(each).__name__]
        if isinstance(each, ConnectionRefusedError | socket.gaierror | ssl.SSLCertVerificationError):
            return "unreachable"
    if any(isinstance(each, TimeoutError) or type(each).__name__ in ("Timeout", "APITimeoutError") for each in chain):
        return "timeout"
    if any(kind.__name__ in BROKEN for each in chain for kind in type(each).__mro__):
        return "connection"
    if any(type(each).__name__ == "APIConnectionError" for each in chain):
        return "provider_error" if any(isinstance(each, UNREADABLE) for each in chain) else "connection"
    status = getattr(error, "status_code", None)
    if not isinstance(status, int):
        return "unexpected"
    said += " ".join(str(getattr(each, "code", "")) for each in chain)
    if status in (400, 403, 429) and NO_CREDIT.search(said):
        return "out_of_credit"
    if status == 400 and TOO_LONG.search(said):
        return "context_length"
    if status in (400, 403) and FILTERED.search(said):
        return "content_filter"
    return STATUS.get(status, "bad_request" if 400 <= status < 500 else "provider_error")


def _headers(error: BaseException) -> Iterator[Mapping[str, str]]:
    for each in _chain(error):
        for headers in (getattr(each, "litellm_response_headers", None), getattr(getattr(each, "response", None), "headers", None)):
            if headers is not None and hasattr(headers, "items"):
                yield headers


def limits_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Those of a response's headers that speak of rate limits, names in lower case."""
    return {name: str(value) for each, value in headers.items() if (name := each.lower()).startswith(OF_LIMITS)}


def retry_after(limits: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that the server asks to be left alone, 0 or more; None when it does not say, or not in a form that RFC 9110 knows."""
    try:
        if (milliseconds := limits.get("retry-after-ms")) is not None:
            return _seconds(float(milliseconds) / 1000)
    except ValueError:
        pass  # the other header may say it well
    value = limits.get("retry-after", "").strip()
    try:
        return _seconds(float(value))
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - (now or datetime.now(UTC))).total_seconds())


def _seconds(value: float) -> float | None:
    return max(0.0, value) if isfinite(value) else None


class Redactor:
    """Blanks out secrets: the values of the named variables and of those named like a key, and of settings named like one."""

    def __init__(self, variables: Iterable[str] = (), settings: Iterable[Mapping[str, Any]] = ()) -> None:
        self._variables = frozenset(variables)
        self._declared = {value for each in settings for value in _secret_values(each)}

    def __call__(self, text: str) -> str:
        """`text` with every secret, and every user name and password in a URL, replaced by `[key]`."""
        named = {value.strip() for name, value in os.environ.items() if name in self._variables or SECRET_NAME.search(name)}
        return blanked(text, named | self._declared)


def _secret_values(settings: Mapping[str, Any], inside: bool = False) -> Iterator[str]:
    for name, value in settings.items():
        secret = inside or bool(SECRET_NAME.search(str(name)))
        if isinstance(value, Mapping):
            yield from _secret_values(value, secret)
        elif secret and isinstance(value, str):
            yield value
            yield value.rpartition(" ")[2]  # of "Bearer KEY"
