"""A reply that cannot be used is mended, or asked again along one chain, and every row ends as an answer or as a failure."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gland_assets.core.chain import TRIES
from gland_assets.core.instructions import make_answers
from gland_assets.core.making import Making
from gland_assets.core.pacing import Outages
from gland_assets.core.parsing import CAUSES
from gland_assets.core.project import Deployment
from gland_assets.core.quality import RULES
from gland_assets.core.records import Question
from gland_assets.core.requests import Message, Rejected, Reply, Request, request_key
from gland_assets.core.structured import json_of
from gland_assets.io.faults import CAUSES as PROVIDER_CAUSES
from gland_assets.io.faults import Cure
from tests.completions import SPOILT
from tests.io.asking import NOON, QUICK, SCHEMA, Bench, ask, deployment, failure, request
from tests.server import REFUSED, ModelServer


def names(reply: Reply) -> Any:
    return json_of(reply.text)["names"]


def rejections(bench: Bench) -> list[str]:
    return [event.text.partition(":")[0] for event in bench.events if event.kind == "rejected"]


def test_json_broken_in_a_known_way_is_mended_and_asked_once(server: ModelServer, bench: Bench) -> None:
    server.fail("broken_json")
    [(found, reply)] = ask(bench.gateway(deployment(server.url)), request(schema=SCHEMA), accept=names)
    assert len(found) >= 2 and server.count == 1
    assert reply.text.startswith("```json"), "the reply is stored as it came"


@pytest.mark.parametrize("kind", ["no_json", "bad_json", "refusal"])
def test_a_reply_in_bad_form_is_shown_its_fault_and_what_is_then_said_stands(server: ModelServer, bench: Bench, kind: str) -> None:
    main = deployment(server.url)
    server.fail(kind)
    [(found, _)] = ask(bench.gateway(main), request(schema=SCHEMA), accept=names)
    first, second = (entry["body"]["messages"] for entry in server.log)
    if kind == "refusal":
        assert second == first, "what is wrong with it is not its form"
    else:
        assert second[:1] == first
        assert [turn["role"] for turn in second[1:]] == ["assistant", "user"]
        assert "no JSON value" in second[-1]["content"] and "once more" in second[-1]["content"]
    assert ask(bench.gateway(main), request(schema=SCHEMA), accept=names)[0][0] == found
    assert server.count == 2, "the next build walks the same way and pays for nothing"


def test_the_place_that_does_not_fit_is_what_is_shown(server: ModelServer, bench: Bench) -> None:
    impossible = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 5, "multipleOf": 2000}}, "required": ["n"]}
    failed = failure(ask(bench.gateway(deployment(server.url)), request(schema=impossible))[0])
    assert (failed.cause, failed.attempts, server.count) == ("schema", 2, 2)
    told = server.log[1]["body"]["messages"][-1]["content"]
    assert "$.n: the schema asks for multipleOf: 2000" in told


@pytest.mark.parametrize("kind", ["refusal", "content_filter"])
def test_what_one_model_declines_is_asked_of_the_next_first(server: ModelServer, bench: Bench, kind: str) -> None:
    server.fail(kind, times=100, match="main-model")
    both = (deployment(server.url), deployment(server.url, "spare"))
    [(text, reply)] = ask(bench.gateway(*both), request(models=("main", "spare")))
    assert (reply.deployment, server.count) == ("spare", 2)
    server.reset()
    assert ask(bench.gateway(*both), request(models=("main", "spare")))[0][0] == text
    assert server.count == 0


def test_a_model_that_only_reasons_is_told_by_name_with_what_to_do_and_so_is_one_cut_off(server: ModelServer, bench: Bench) -> None:
    for kind, cause in (("thought_away", "only_reasoning"), ("length", "cut_off")):
        server.fail(kind, times=TRIES)
        asked = request(f"A question that is {kind}")
        for _ in range(2):  # the stored reply says so too
            failed = failure(ask(bench.gateway(deployment(server.url)), asked)[0])
            assert (failed.cause, failed.attempts) == (cause, TRIES)
            assert "raise max_tokens for stage 'answers'" in failed.detail
    assert server.count == 2 * TRIES


def test_the_alphabet_of_the_language_is_asked_for(server: ModelServer, bench: Bench) -> None:
    server.fail("foreign")
    [(text, _)] = ask(bench.gateway(deployment(server.url)), request())
    assert rejections(bench) == ["alphabet"] and text.isascii()


def again(bench: Bench, main: Any, asked: Request) -> Any:
    """The outcome of asking for a row that has failed before."""
    gateway = bench.gateway(main)

    async def one() -> Any:
        try:
            return await gateway.ask(asked, lambda reply: reply.text, again=True)
        except Exception as error:
            return error

    return asyncio.run(one())


def test_a_failed_row_is_tried_on_where_its_chain_ended_and_what_that_gets_stays(server: ModelServer, bench: Bench) -> None:
    main, asked = deployment(server.url), request()
    server.fail("loop", times=2 * TRIES + 1)
    assert failure(ask(bench.gateway(main), asked)[0]).attempts == TRIES
    assert failure(ask(bench.gateway(main), asked)[0]).attempts == TRIES
    assert server.count == TRIES, "a plain build asks for nothing"
    assert failure(again(bench, main, asked)).attempts == 2 * TRIES
    assert server.count == 2 * TRIES, "another round, and no more"
    text, reply = again(bench, main, asked)
    assert not reply.reused and server.count == 2 * TRIES + 2
    assert ask(bench.gateway(main), asked)[0] == (text, bench.opened[-1].store.get([reply.request_key])[reply.request_key])
    assert again(bench, main, asked)[0] == text
    assert server.count == 2 * TRIES + 2, "what was got stands for every build"


def test_the_document_names_every_fault_of_a_provider_that_is_a_rows_own() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "replies.md").read_text(encoding="utf-8")
    assert [cause for cause, cure in PROVIDER_CAUSES.items() if cure in (Cure.WAIT, Cure.MOVE) and f"`{cause}`" not in docs] == []


def question(number: int) -> Question:
    return Question(
        f"q{number:02}", "logic", "subject", "syllabus", number, "one_session", f"What is token-{number:02}x, and why?", 9, "key", NOON, ()
    )


# Those that stop a build until the user changes something are no fault of a row: 401, 402, 403, 404.
WIRE = ("400", "429", "500", "503", *REFUSED)
OF_FORM = ("bad_json", "broken_json", "no_json")  # to an answer in free text a text like any other
ROWS = 14
UNHURRIED = settings(
    max_examples=8, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
Faults = dict[int, tuple[str, int]]
SHORT_RESTS = replace(QUICK, outages=Outages(first=0.02, longest=0.05))
"""What goes wrong here goes wrong at both deployments, over and over: rests of minutes would follow."""


def faults(*kinds: str) -> st.SearchStrategy[Faults]:
    """Row -> what goes wrong with it, and how often."""
    return st.dictionaries(st.integers(0, ROWS - 1), st.tuples(st.sampled_from(kinds), st.integers(1, 9)), max_size=9)


def go_wrong(server: ModelServer, wrong: Faults) -> None:
    server.reset()
    for number, (kind, times) in wrong.items():
        server.fail(kind, times=times, match=f"token-{number:02}x", retry_after=0.0 if kind == "429" else None)


def two(server: ModelServer, parallel: int) -> list[Deployment]:
    return [deployment(server.url, name, max_parallel_requests=parallel, timeout=2.0) for name in ("main", "spare")]


DECLARED = RULES.keys() | CAUSES.keys() | PROVIDER_CAUSES.keys()


@UNHURRIED
@given(st.permutations(range(ROWS)), faults(*WIRE, *(kind for kind in SPOILT if kind not in OF_FORM)), st.integers(1, 8))
def test_every_row_ends_as_its_own_answer_or_as_a_failure_with_a_declared_cause(
    server: ModelServer, order: list[int], wrong: Faults, parallel: int
) -> None:
    go_wrong(server, wrong)
    with TemporaryDirectory() as folder:
        gateway = Bench(Path(folder)).gateway(*two(server, parallel), waits=SHORT_RESTS)
        making = Making(gateway.project, gateway.project.discipline("logic"), gateway.ask, "build")
        rows = asyncio.run(make_answers(making, [question(number) for number in order]))
        gateway.close()
    assert [row.question_id for row in rows] == [f"q{number:02}" for number in order], "rows out are rows asked, in their order"
    assert len({row.answer_id for row in rows}) == ROWS
    for number, row in zip(order, rows, strict=True):
        if row.failure is None:
            assert row.text is not None and f"token-{number:02}x" in row.text, "each answer is to its own question"
            assert sum(f"token-{other:02}x" in row.text for other in range(ROWS)) == 1
        else:
            assert row.text is None and number in wrong
            assert row.failure.cause in DECLARED and row.failure.detail and row.failure.row_id == row.answer_id


@UNHURRIED
@given(faults(*WIRE, *SPOILT), st.integers(1, 8))
def test_every_structured_reply_is_that_of_its_own_row_or_a_failure_with_a_declared_cause(
    server: ModelServer, wrong: Faults, parallel: int
) -> None:
    go_wrong(server, wrong)
    asked = []
    for number in range(ROWS):
        name = f"token-{number:02}x"
        schema = {"type": "object", "required": ["said"], "properties": {"said": {"const": name}, "why": {"type": "string"}}}
        asked.append(request(f"Name some of {name}.", ("main", "spare"), row=name, schema=schema))
    with TemporaryDirectory() as folder:
        gateway = Bench(Path(folder)).gateway(*two(server, parallel), waits=SHORT_RESTS)
        outcomes = ask(gateway, *asked, accept=lambda reply: json_of(reply.text)["said"])
        gateway.close()
    for number, (one, outcome) in enumerate(zip(asked, outcomes, strict=True)):
        if isinstance(outcome, tuple):
            assert outcome[0] == one.row
        else:
            failed = failure(outcome)
            assert number in wrong and failed.request.row == one.row and failed.cause in DECLARED and failed.detail


def test_rejected_replies_are_stored_and_their_seeds_are_walked_again(server: ModelServer, bench: Bench) -> None:
    seeds: list[int] = []

    def third_time(reply: Reply) -> str:
        if len(seeds) < 2:
            seeds.append(1)
            raise Rejected("off_topic", "not this one")
        return reply.text

    first = bench.gateway(deployment(server.url))
    [(text, reply)] = ask(first, request(), accept=third_time)
    assert server.count == 3
    assert len({each["body"]["seed"] for each in server.log}) == 3
    assert [each["body"]["seed"] for each in server.log] == [request().retry(n).seed for n in range(3)]
    assert (first.tally.calls, first.tally.rejected) == (3, 2)
    first.flush()
    assert [row["accepted"] for row in bench.requests()] == [0, 0, 1]
    seeds.clear()
    again = bench.gateway(deployment(server.url))
    assert ask(again, request(), accept=third_time) == [(text, replace(reply, reused=True))]
    assert (server.count, again.tally.calls, again.tally.reused) == (3, 0, 3)


def test_a_request_fails_by_name_when_every_try_is_rejected_and_costs_nothing_again(server: ModelServer, bench: Bench) -> None:
    server.fail("refusal", times=100)
    main = deployment(server.url)
    first = bench.gateway(main)
    failed = failure(ask(first, request())[0])
    assert (failed.cause, failed.attempts, failed.request) == ("refusal", TRIES, request())
    assert failed.request_key == request_key(request().retry(TRIES - 1), main.identity)
    assert server.count == TRIES
    assert failure(ask(bench.gateway(main), request())[0]).cause == "refusal"
    assert server.count == TRIES
    assert first.tally.failures == 1


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("empty", "empty"),
        ("refusal", "refusal"),
        ("loop", "loop"),
        ("echo", "echo"),
        ("length", "cut_off"),
        ("content_filter", "content_filter"),
    ],
)
def test_a_bad_reply_is_asked_again(server: ModelServer, bench: Bench, kind: str, cause: str) -> None:
    server.fail(kind)
    gateway = bench.gateway(deployment(server.url))
    [(_, reply)] = ask(gateway, request("A question long enough to be recognised, word for word, when it comes back as its own answer."))
    assert server.count == 2
    assert reply.text
    assert [event.text.partition(":")[0] for event in bench.events if event.kind == "rejected"] == [cause]


@pytest.mark.parametrize(("kind", "cause"), [("bad_json", "not_json"), ("refusal", "refusal")])
def test_a_reply_that_is_not_the_json_asked_for_is_asked_again(server: ModelServer, bench: Bench, kind: str, cause: str) -> None:
    server.fail(kind)
    [(names, _)] = ask(bench.gateway(deployment(server.url)), request(schema=SCHEMA), accept=lambda reply: json.loads(reply.text)["names"])
    assert len(names) >= 2
    assert server.count == 2
    assert [event.text.partition(":")[0] for event in bench.events if event.kind == "rejected"] == [cause]


def test_json_that_does_not_fit_the_schema_is_rejected_where_the_server_does_not_hold_to_it(server: ModelServer, bench: Bench) -> None:
    impossible = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 5, "maximum": 5, "multipleOf": 7}},
        "required": ["n"],
    }
    failed = failure(ask(bench.gateway(deployment(server.url)), request(schema=impossible))[0])
    assert failed.cause == "schema"
    assert "$.n" in failed.detail


def test_conversations_are_echoes_only_of_what_was_said(server: ModelServer, bench: Bench) -> None:
    server.fail("echo")
    turns = (
        Message("user", "Name three fruits, please."),
        Message("assistant", "Apple, pear and plum."),
        Message("user", "And three more?"),
    )
    [(_, reply)] = ask(bench.gateway(deployment(server.url)), request(messages=turns))
    assert reply.text != "And three more?"
    assert server.count == 2
