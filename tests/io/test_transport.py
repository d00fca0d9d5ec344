"""What goes wrong between here and a provider, over real sockets: deadlines, broken bodies, what a refusal says, and where the key goes."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.errors import EnvironmentFault
from gland_assets.core.project import Deployment
from gland_assets.core.thought import without_thought
from gland_assets.io.faults import ProviderFault, limits_of, retry_after
from gland_assets.io.providers import Completion, Providers
from tests.completions import THOUGHT
from tests.io.asking import deployment, request
from tests.io.test_roads import long_road, there
from tests.server import HUGE_BYTES, ModelServer

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CANARY = 'sk-canary/4711+secret"=='


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THEIR_KEY", CANARY)


@pytest.fixture(params=["direct", "long"])
def road(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each of the two roads in turn."""
    way: AbstractContextManager[None] = long_road() if request.param == "long" else nullcontext()
    with way:
        yield request.param


def complete(declared: Deployment, text: str = "What is a lemma?") -> Completion:
    return asyncio.run(Providers({declared.name: declared}).complete(declared.name, request(text)))


def fault(declared: Deployment) -> ProviderFault:
    with pytest.raises(ProviderFault) as raised:
        complete(declared)
    return raised.value


@given(st.floats(0, 1e6), st.integers(0, 10**6))
def test_seconds_milliseconds_and_dates_say_the_same(seconds: float, whole: int) -> None:
    assert retry_after({"retry-after": str(seconds)}) == seconds
    assert retry_after({"retry-after-ms": str(seconds), "retry-after": "7"}) == seconds / 1000
    date = format_datetime(NOON + timedelta(seconds=whole), usegmt=True)
    assert retry_after({"retry-after": date}, NOON) == whole


@pytest.mark.parametrize("value", ["", "soon", "nan", "inf", "-inf", "Sun, 99 Foo 2026", "1e999"])
def test_what_is_no_time_is_not_heard(value: str) -> None:
    assert retry_after({"retry-after": value}) is None
    assert retry_after({"retry-after": "3", "retry-after-ms": "x"}) == 3


def test_times_that_have_passed_are_now() -> None:
    assert retry_after({"retry-after": "-5"}) == 0
    assert retry_after({"retry-after": format_datetime(NOON - timedelta(days=1), usegmt=True)}, NOON) == 0


def test_of_the_headers_only_those_of_limits_are_kept() -> None:
    headers = {"X-RateLimit-Remaining-Tokens": "5", "Anthropic-RateLimit-Requests-Reset": "z", "Retry-After": "1", "Set-Cookie": "secret"}
    assert limits_of(headers) == {
        "x-ratelimit-remaining-tokens": "5", "anthropic-ratelimit-requests-reset": "z", "retry-after": "1",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["openai", "hosted_vllm", "anthropic"])
def test_limits_are_handed_on_from_replies_and_refusals(server: ModelServer, road: str, name: str) -> None:
    told = {"x-ratelimit-remaining-requests": "7", "retry-after-ms": "250", "Retry-After": "9"}
    heard = {"x-ratelimit-remaining-requests": "7", "retry-after-ms": "250", "retry-after": "9"}
    server.fail("ok", headers=told)
    assert complete(there(server, name)).limits == heard
    server.fail("429", headers=told)
    found = fault(there(server, name))
    assert (found.cause, found.limits, found.retry_after) == ("rate_limited", heard, 0.25)


@pytest.mark.parametrize("name", ["openai", "hosted_vllm", "anthropic"])
def test_a_date_to_come_back_at_is_heard(server: ModelServer, road: str, name: str) -> None:
    server.fail("503", headers={"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=3600), usegmt=True)})
    assert 3000 < (fault(there(server, name)).retry_after or 0) <= 3600


def test_a_reply_that_does_not_begin_in_time_is_a_timeout_and_one_that_only_takes_its_time_is_none(server: ModelServer, road: str) -> None:
    server.fail("late")
    found = fault(there(server, "openai", first_byte_timeout=0.1))
    assert (found.cause, found.detail) == ("timeout", "no first byte within 0.1 s")
    server.fail("slow")
    assert complete(there(server, "openai", first_byte_timeout=0.4)).text


def test_the_whole_reply_has_its_deadline_too(server: ModelServer, road: str) -> None:
    server.fail("slow")
    found = fault(there(server, "openai", timeout=0.2))
    assert (found.cause, found.detail) == ("timeout", "no reply within 0.2 s")


def test_a_body_without_end_is_not_read_to_its_end(server: ModelServer, road: str) -> None:
    server.fail("huge")
    found = fault(there(server, "openai"))
    assert found.cause == "provider_error"
    assert "longer than 32 MiB" in found.detail
    assert HUGE_BYTES > 32 * 2**20


@pytest.mark.parametrize("name", ["openai", "hosted_vllm", "anthropic"])
def test_packed_bodies_are_unpacked(server: ModelServer, road: str, name: str) -> None:
    server.fail("gzip")
    assert complete(there(server, name)).text


def test_no_redirect_is_followed_with_a_key(server: ModelServer, road: str) -> None:
    other = ModelServer().start()
    try:
        server.fail("307", headers={"Location": f"{other.url}/chat/completions"})
        found = fault(there(server, "openai"))
        assert (found.cause, other.count) == ("not_found", 0)
    finally:
        other.stop()


TOO_LONG = {
    "openai": "This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens.",
    "hosted_vllm": "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
    "anthropic": "prompt is too long: 210000 tokens > 200000 maximum",
    "mistral": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
    "groq": "Please reduce the length of the messages or completion.",
    "llamafile": "the request exceeds the available context size. try increasing the context size or enable context shift",
    "openrouter": "This endpoint's maximum context length is 8192 tokens. However, you requested about 9000 tokens",
}


@pytest.mark.parametrize("name", TOO_LONG)
def test_a_prompt_that_is_too_long_is_told_as_such(server: ModelServer, road: str, name: str) -> None:
    server.fail("400", message=TOO_LONG[name], code="context_length_exceeded" if name in ("openai", "groq") else None)
    assert fault(there(server, name)).cause == "context_length"


@pytest.mark.parametrize(
    ("name", "message", "code"),
    [
        ("openai", "Your request was rejected as a result of our safety system.", "content_policy_violation"),
        ("openai", "The response was filtered due to the prompt triggering our content management policy.", "content_filter"),
        ("hosted_vllm", "The response was filtered due to the prompt triggering our content management policy.", "content_filter"),
    ],
)
def test_a_refusal_of_content_is_told_as_such(server: ModelServer, road: str, name: str, message: str, code: str) -> None:
    server.fail("400", message=message, code=code)
    assert fault(there(server, name)).cause == "content_filter"


@pytest.mark.parametrize("name", ["openai", "hosted_vllm", "anthropic"])
@pytest.mark.parametrize(("kind", "reason"), [("content_filter", "content_filter"), ("length", "length")])
def test_why_a_reply_ended_is_kept(server: ModelServer, road: str, name: str, kind: str, reason: str) -> None:
    server.fail(kind)
    assert complete(there(server, name)).finish_reason == reason


@pytest.mark.parametrize("name", ["openai", "hosted_vllm", "openrouter", "mistral", "ollama_chat"])
@pytest.mark.parametrize("kind", ["think", "think_open", "think_only_closed", "reasoning", "reasoning_only", ""])
def test_thought_is_no_part_of_the_text(server: ModelServer, road: str, name: str, kind: str) -> None:
    server.fail(kind)
    done = complete(there(server, name))
    assert done.reasoned == (kind != "")
    assert THOUGHT.strip() not in done.text and "think>" not in done.text
    assert bool(done.text) == (kind not in ("think_open", "reasoning_only"))
    assert done.completion_tokens > 0


@given(st.text(), st.text())
def test_a_thought_is_what_a_text_begins_with(thought: str, text: str) -> None:
    if "think" in thought + text:
        return
    assert without_thought(text) == (text, False)
    for opened in ("<think>", "\n<think>\n", ""):
        assert without_thought(f"{opened}{thought}\n</think>\n\n{text}") == (text.lstrip(), True)
    assert without_thought(f"<thinking>{thought}</thinking>{text}") == (text.lstrip(), True)
    assert without_thought(f"<think>{thought}") == ("", True)


@pytest.mark.parametrize("text", ["The tag </think> ends it.", "Write `<think>` first, then `</think>`.", "think> <think >"])
def test_an_answer_about_thought_is_no_thought(text: str) -> None:
    assert without_thought(text) == (text, False)


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", b""])
def test_a_server_that_speaks_no_http_is_a_failed_connection(road: str, said: bytes) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    async def ask() -> ProviderFault:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(ProviderFault) as raised:
                await Providers({"main": deployment(f"http://127.0.0.1:{port}/v1")}).complete("main", request())
            return raised.value

    assert asyncio.run(ask()).cause == "connection"


@pytest.mark.parametrize("name", ["openai", "hosted_vllm", "anthropic", "ollama_chat"])
@pytest.mark.parametrize("kind", ["400", "401", "429", "500", "reset", "truncated", "garbage", "hang", "refused"])
def test_no_key_hangs_on_any_fault(server: ModelServer, road: str, name: str, kind: str) -> None:
    declared = there(server, name, timeout=0.5 if kind == "hang" else 20.0, extra={"custom_token": "canary-of-extra"})
    server.fail(kind, message=f"{CANARY} is no key, nor is canary-of-extra")
    if kind == "refused":
        declared = replace(declared, api_base=("http://127.0.0.1:9/v1",))
    found = fault(declared)
    assert found.__cause__ is None and found.__context__ is None
    assert "canary" not in f"{found} {found!r} {found.args} {found.detail} {found.limits}"


def test_more_calls_than_a_pool_usually_holds_are_under_way_at_once(server: ModelServer) -> None:
    declared = there(server, "openai", max_parallel_requests=150)
    server.state.latency = 1.5

    async def ask() -> None:
        providers = Providers({"main": declared})
        await asyncio.gather(*(providers.complete("main", request(f"{number}")) for number in range(150)))

    asyncio.run(ask())
    assert server.state.most_in_flight > 120


def test_the_proxy_of_the_environment_is_taken_and_left(server: ModelServer, road: str, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = deployment("http://models.invalid/v1", key_env="THEIR_KEY")
    monkeypatch.setenv("HTTP_PROXY", server.root)
    monkeypatch.setenv("http_proxy", server.root)
    assert complete(declared).text
    assert server.log[0]["headers"]["host"] == "models.invalid"
    monkeypatch.setenv("NO_PROXY", "models.invalid")
    monkeypatch.setenv("no_proxy", "models.invalid")
    assert fault(declared).cause == "unreachable"
    assert server.count == 1


ALONE = """
import asyncio, os, socket, sys
looked, reached = [], []
found, connect = socket.getaddrinfo, socket.socket.connect
def getaddrinfo(host, *more, **named):
    looked.append(host)
    return found(host, *more, **named)
socket.getaddrinfo = getaddrinfo
sys.addaudithook(lambda event, args: reached.append(args[1]) if event == "socket.connect" else None)
from gland_assets.io import direct
from gland_assets.io.providers import Providers, ProviderFault
from tests.io.test_roads import MODELS, SCHEMA, there
from tests.io.asking import request
class server: root, url = sys.argv[1], sys.argv[1] + "/v1"
if sys.argv[2] == "long":
    direct.HOMES = {}
for name in MODELS:
    for schema in (None, SCHEMA):
        asyncio.run(Providers({"main": there(server, name)}).complete("main", request(schema=schema)))
print({str(host) for host in looked} | {str(address[0]) for address in reached if isinstance(address, tuple)})
"""


@pytest.mark.parametrize("way", ["direct", "long"])
def test_nobody_but_the_provider_is_called_and_nothing_is_printed(server: ModelServer, way: str) -> None:
    ran = subprocess.run([sys.executable, "-c", ALONE, server.root, way], capture_output=True, text=True, timeout=120)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.strip() == "{'127.0.0.1'}"


@pytest.fixture(scope="module")
def _certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody has signed but its own key, and that key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(datetime.now(UTC) - timedelta(days=1)).not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_a_server_must_prove_who_it_is(_certificate: Path, road: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(_certificate)
    secured = ModelServer(tls=tls).start()
    try:
        declared = deployment(secured.url, key_env="THEIR_KEY")
        assert fault(declared).cause == "unreachable"
        assert secured.count == 0
        monkeypatch.setenv("SSL_CERT_FILE", str(_certificate))
        assert complete(declared).text
    finally:
        secured.stop()


def test_certificates_that_cannot_be_read_are_told(server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "none.pem").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(EnvironmentFault, match="SSL_CERT_FILE"):
        complete(there(server, "openai"))
    assert server.count == 0
