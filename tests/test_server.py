"""The test server is one that tests may lean on: deterministic, varied, and what it is told to get wrong it gets wrong so often."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gland_assets.core.dedup import shingles
from gland_assets.core.quality import check
from gland_assets.core.schemas import subjects_schema, syllabus_schema
from gland_assets.core.structured import check_schema
from tests.completions import completion
from tests.server import ModelServer
from tests.speech import value

QUESTION = "Syllabus: …\nCombine these concepts:\n- binding energy (session 2)\n- mass defect (session 1)\nWrite one question."


def body(text: str, seed: int = 1, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], "seed": seed, **more}


def said(asked: dict[str, Any]) -> str:
    return str(completion(asked)["choices"][0]["message"]["content"])


def call(url: str, told: Any = None) -> Any:
    data = None if told is None else json.dumps(told).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, {"Content-Type": "application/json"})) as reply:
        return json.load(reply)


@given(st.text(), st.integers(0, 2**31 - 1))
def test_the_same_body_gets_the_same_reply_and_another_seed_another(text: str, seed: int) -> None:
    assert completion(body(text, seed)) == completion(body(text, seed))
    assert said(body(text, seed)) != said(body(text, seed + 1))


def test_questions_name_their_concepts_and_are_no_near_duplicates() -> None:
    questions = [said(body(QUESTION, seed)) for seed in range(300)]
    assert all("binding energy" in text and "mass defect" in text for text in questions)
    grams = [shingles(text, 3) for text in questions]
    near = sum(len(one & other) >= 0.7 * len(one | other) for place, one in enumerate(grams) for other in grams[:place])
    assert near == 0


@pytest.mark.parametrize("prompt", [QUESTION, "Answer this question: why?", "Write a syllabus."])
def test_replies_pass_the_rules_that_real_ones_must_pass(prompt: str) -> None:
    for seed in range(100):
        check(said(body(prompt, seed)), "stop", [prompt], "questions")


@given(st.integers(1, 12), st.integers(0, 8), st.integers())
def test_json_fits_the_products_schemas(least: int, more: int, seed: int) -> None:
    for schema in (subjects_schema(least, least + more), syllabus_schema(least, least + more)):
        check_schema(value(schema, Random(seed)), schema)


def test_faults_hit_what_they_match_as_often_as_told(server: ModelServer) -> None:
    root = server.url.removesuffix("/v1")
    call(f"{root}/faults", [{"kind": "empty", "times": 2, "match": "Straße"}])
    texts = [
        call(f"{server.url}/chat/completions", body(text))["choices"][0]["message"]["content"]
        for text in ("Straße", "other", "Straße", "Straße")
    ]
    assert [bool(text.strip()) for text in texts] == [False, True, False, True]
    assert call(f"{root}/count") == {"count": 4, "answered": 4, "most_in_flight": 1}
    assert [each["fault"] for each in call(f"{root}/log")] == ["empty", None, "empty", None]
    call(f"{root}/reset", {})
    assert server.count == 0


def test_what_it_takes_for_another_text_gets_that_texts_reply(server: ModelServer) -> None:
    def replied(text: str) -> str:
        return str(call(f"{server.url}/chat/completions", body(text))["choices"][0]["message"]["content"])

    server.take_for("Sketch", "Draw", unless="glacier")
    assert replied("Sketch a river.") == said(body("Draw a river."))
    assert replied("Sketch a glacier.") == said(body("Sketch a glacier."))
    server.reset()
    assert replied("Sketch a river.") == said(body("Sketch a river."))


def test_it_runs_alone() -> None:
    child = subprocess.Popen([sys.executable, "-m", "tests.server", "--port", "0"], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    url = child.stdout.readline().strip()
    assert call(f"{url}/chat/completions", body("Hello"))["choices"]
    child.terminate()
    child.wait(10)
    child.stdout.close()
