"""Faults that waiting cures, that the next deployment cures, and that only the user can; and the limits of an endpoint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.errors import EnvironmentFault
from gland_assets.io.sending import Waits
from tests.io.asking import QUICK, Bench, Clock, ask, deployment, failure, request
from tests.server import ModelServer


@pytest.mark.parametrize("kind", ["429", "500", "503", "reset", "garbage", "no_choices"])
def test_what_waiting_can_cure_is_cured_by_waiting(server: ModelServer, bench: Bench, kind: str) -> None:
    server.fail(kind, times=QUICK.retries)
    gateway = bench.gateway(deployment(server.url), deployment(server.url, "spare"))
    [(_, reply)] = ask(gateway, request(models=("main", "spare")))
    assert (reply.deployment, reply.attempts) == ("main", QUICK.retries + 1)
    assert gateway.tally.retries == QUICK.retries
    assert len([event for event in bench.events if event.kind == "retry"]) == QUICK.retries


def test_refusals_use_up_no_other_faults_retries(server: ModelServer, bench: Bench, clock: Clock) -> None:
    for kind in ("429", "500"):
        server.fail(kind, times=QUICK.retries)
    [(_, reply)] = ask(bench.gateway(deployment(server.url)), request())
    assert reply.attempts == QUICK.refusals + QUICK.retries + 1


def test_a_hanging_call_is_given_up_and_repeated(server: ModelServer, bench: Bench) -> None:
    server.fail("hang")
    [(_, reply)] = ask(bench.gateway(deployment(server.url, timeout=0.3)), request())
    assert reply.attempts == 2


def test_retry_after_is_waited_for_and_bounded(server: ModelServer, bench: Bench, clock: Clock) -> None:
    waits = Waits(retries=1, first=0.0, longest=0.0, obeyed=0.2)
    assert waits.before(0, 0.1) == 0.1
    assert waits.before(0, 3600.0) == 0.2
    assert waits.before(0, None) == 0.0
    heard: list[tuple[int, float | None]] = []

    class Heard(Waits):
        def before(self, retry: int, asked: float | None) -> float:
            heard.append((retry, asked))
            return 0.0

    server.fail("429", times=2, retry_after=3600)
    began = clock.now
    ask(bench.gateway(deployment(server.url), waits=Heard(obeyed=0.3)), request())
    assert heard == [(0, 3600.0), (1, 3600.0)]
    assert server.count == 3
    assert clock.now - began >= 0.6  # the endpoint is left alone for as long as is granted, whatever one request waits for


@given(st.integers(0, 40), st.none() | st.floats(0, 1e6))
def test_waits_stay_within_their_bounds(retry: int, asked: float | None) -> None:
    waits = Waits()
    assert 0 <= waits.before(retry, asked) <= waits.obeyed + waits.longest
    assert waits.before(retry, asked) >= min(asked or 0, waits.obeyed)


@pytest.mark.parametrize("kind", ["429", "500", "400", "404", "401"])
def test_the_next_deployment_answers_and_its_answer_stands(server: ModelServer, bench: Bench, kind: str) -> None:
    server.fail(kind, times=100, match="main-model")
    both = (deployment(server.url), deployment(server.url, "spare"))
    [(text, reply)] = ask(bench.gateway(*both), request(models=("main", "spare")))
    assert (reply.deployment, reply.model) == ("spare", "spare-model-served")
    assert (bench.events[-1].deployment, bench.events[-1].instead_of) == ("spare", "main")
    assert reply.attempts == (QUICK.retries + 2 if kind in ("429", "500") else 2)
    server.reset()
    [(again, _)] = ask(bench.gateway(*both), request(models=("main", "spare")))
    assert (again, server.count) == (text, 0)


@pytest.mark.parametrize(
    ("kind", "cause"), [("429", "rate_limited"), ("500", "provider_error"), ("reset", "connection"), ("400", "bad_request")]
)
def test_a_fault_no_deployment_cures_is_one_failed_request(server: ModelServer, bench: Bench, kind: str, cause: str) -> None:
    server.fail(kind, times=100, match="unlucky")
    gateway = bench.gateway(deployment(server.url), deployment(server.url, "spare"))
    models = ("main", "spare")
    unlucky, (text, _) = ask(gateway, request("an unlucky question", models), request("a lucky one", models))
    calls = 2 if kind == "400" else 2 * (QUICK.retries + 1)
    assert (failure(unlucky).cause, failure(unlucky).attempts) == (cause, calls)
    assert text
    server.reset()
    [(_, reply)] = ask(bench.gateway(deployment(server.url)), request("an unlucky question"))
    assert not reply.reused  # a fault is no reply: it is asked again in the next build


@pytest.mark.parametrize(
    ("kind", "message", "advice"),
    [
        ("401", "no", "check the key"),
        ("402", "pay", "top up"),
        ("429", "insufficient_quota", "top up"),
        ("403", "no", "may use"),
        ("404", "no such model", "does not know it"),
    ],
)
def test_what_only_the_user_can_cure_stops_the_build(server: ModelServer, bench: Bench, kind: str, message: str, advice: str) -> None:
    server.fail(kind, times=100, message=message)
    gateway = bench.gateway(deployment(server.url, max_parallel_requests=2))
    outcomes = ask(gateway, *(request(f"question {n}") for n in range(20)))
    assert all(isinstance(each, EnvironmentFault) for each in outcomes)
    assert advice in str(outcomes[0])
    assert "deployment.main" in str(outcomes[0])
    assert server.count <= 2  # those already on their way; nobody asks in vain a thousand times


def test_a_missing_key_stops_the_build_only_when_no_deployment_is_left(server: ModelServer, bench: Bench) -> None:
    keyless = deployment(server.url, key_env="NOT_SET_ANYWHERE")
    [(_, reply)] = ask(bench.gateway(keyless, deployment(server.url, "spare")), request(models=("main", "spare")))
    assert (reply.deployment, reply.attempts) == ("spare", 1)
    [stopped] = ask(bench.gateway(keyless), request("another"))
    assert isinstance(stopped, EnvironmentFault)
    assert "NOT_SET_ANYWHERE" in str(stopped)


def test_one_forbidden_question_does_not_stop_a_deployment_that_answers(server: ModelServer, bench: Bench) -> None:
    gateway = bench.gateway(deployment(server.url))
    ask(gateway, request("first"))
    server.fail("403", match="barred")
    outcomes = ask(gateway, request("a barred question"))
    assert failure(outcomes[0]).cause == "forbidden"
    assert isinstance(ask(gateway, request("third"))[0], tuple)


def test_a_server_that_was_never_there_stops_the_build(bench: Bench) -> None:
    [stopped] = ask(bench.gateway(deployment("http://127.0.0.1:9/v1")), request())
    assert isinstance(stopped, EnvironmentFault)
    assert "http://127.0.0.1:9/v1" in str(stopped)


def test_the_parallel_limit_holds(server: ModelServer, bench: Bench) -> None:
    server.state.latency = 0.1
    gateway = bench.gateway(deployment(server.url, max_parallel_requests=2))
    ask(gateway, *(request(f"question {n}") for n in range(12)))
    assert server.state.most_in_flight == 2


def test_each_endpoint_of_equal_rank_has_its_own_limit(server: ModelServer, bench: Bench) -> None:
    server.state.latency = 0.1
    gateway = bench.gateway(deployment((server.url, server.url.replace("127.0.0.1", "localhost")), max_parallel_requests=2))
    ask(gateway, *(request(f"question {n}") for n in range(12)))
    assert server.state.most_in_flight == 4
