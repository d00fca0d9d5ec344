"""What the test server says: English-like text and JSON by schema, varied enough that no two replies count as near duplicates."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from random import Random
from typing import Any

ADJECTIVES = """
ancient applied binary causal civic coastal cognitive colonial comparative complex cultural digital discrete dynamic early
economic elastic empirical experimental federal formal global harmonic historical human hybrid industrial linear local logical
marine material medieval mental metric modern modular moral musical narrative natural neural nuclear numerical optical organic
parallel physical planetary political practical public quantum radical rational regional rural secular social solar spatial
spectral stable statistical structural symbolic thermal tonal tropical urban verbal viral visual
""".split()
NOUNS = """
algorithm archive argument atlas axiom balance ballad barrier basin biology border bridge budget calculus canal canvas carbon cell
census chamber charter chemistry circuit climate colony compass contract coral crystal currency debate density dialect diet drama
dynasty ecology economy energy engine enzyme equation erosion estimate ethics fabric failure fibre fiction filter flora forest
fossil friction galaxy gene geometry glacier grammar gravity harbour harvest heritage hormone housing hypothesis identity immunity
income index inference insurance island journal judgment kernel labour language lattice lens lexicon library magnet mantle market
matrix measure melody memory meteor method migration mineral model motion museum nebula network novel nutrient ocean orbit organ
pattern pigment planet plasma policy polymer portrait pressure prism proof protein protocol province radiation rainfall ratio
reaction record reform reservoir rhythm ritual river sample sanction savanna sculpture sediment sensor signal society soil species
statute symmetry syntax taxonomy temple tension theorem theory tissue trade transport treaty turbine union vaccine valley variance
vector vessel village voltage wage wave weather wetland workshop
""".split()
VERBS = """
absorbs affects amplifies balances bends blocks bounds builds carries changes clarifies combines compares conceals confirms
constrains contains contradicts corrects counts creates defends defines delays describes divides doubles drives erodes explains
extends feeds forms frames generates governs guides hides improves informs joins limits links lowers maps measures mirrors moves
narrows needs orders permits predicts preserves produces protects proves raises reaches reduces refines reflects repeats replaces
resists reveals revises scales separates shapes shifts shows simplifies slows sorts splits spreads stabilises stores strengthens
supports tests traces transforms turns unites verifies weakens widens yields
""".split()
TASKS = """
Compare Explain Derive Evaluate Design Describe Estimate Interpret Justify Outline Predict Assess Illustrate Construct
""".split()
PLACES = """
in_a_small_laboratory on_a_river_delta during_a_long_drought across_three_provinces inside_a_crowded_city after_the_second_trial
before_any_measurement under_heavy_load near_the_equator within_one_generation over_forty_years at_room_temperature
without_any_records between_two_rival_schools among_first_year_students behind_the_northern_wall
""".split()
CONCEPT = re.compile(r"^- (.+?) \(session \d+\)$", re.MULTILINE)
TOKEN = re.compile(r"\btoken-[0-9a-z]+\b")
RANGE = re.compile(r"(\d+) to (\d+)")


def reply_text(body: Mapping[str, Any], rng: Random) -> str:
    """The reply to an OpenAI request body."""
    prompt = str(body["messages"][-1]["content"])
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        return json.dumps(value(form["json_schema"]["schema"], rng))
    if form.get("type") == "json_object" or "JSON schema:" in prompt:
        _, _, told = prompt.rpartition("JSON schema:\n")
        return json.dumps(value(json.loads(told) if told.startswith("{") else {"type": "object"}, rng))
    concepts = CONCEPT.findall(prompt)
    said = question(concepts, rng) if concepts else prose(rng, rng.randint(6, 12))
    token = TOKEN.search(prompt)  # by which a test tells whose reply it is
    return f"{said} So much for {token.group()}." if token else said


def title(rng: Random) -> str:
    """Two words, such as a subject's or a session's name."""
    return f"{rng.choice(ADJECTIVES).title()} {rng.choice(NOUNS).title()}"


def term(rng: Random) -> str:
    """Two words, such as a key concept."""
    return f"{rng.choice(ADJECTIVES)} {rng.choice(NOUNS)}"


def sentence(rng: Random) -> str:
    """One plain statement."""
    place = rng.choice(PLACES).replace("_", " ")
    first, second = rng.sample(NOUNS, 2)
    return rng.choice(
        (
            f"The {rng.choice(ADJECTIVES)} {first} {rng.choice(VERBS)} a {rng.choice(ADJECTIVES)} {second} {place}.",
            f"A {first} of {rng.randint(3, 900)} units {rng.choice(VERBS)} what the {rng.choice(ADJECTIVES)} {second} {rng.choice(VERBS)}.",
            f"{place.capitalize()}, every {rng.choice(ADJECTIVES)} {first} {rng.choice(VERBS)} its {second}.",
        )
    )


def prose(rng: Random, sentences: int) -> str:
    """A paragraph."""
    return " ".join(sentence(rng) for _ in range(sentences))


def question(concepts: list[str], rng: Random) -> str:
    """A question that names what it was asked to combine."""
    return (
        f"{sentence(rng)} {rng.choice(TASKS)} how {' and '.join(concepts)} apply here, given {rng.randint(2, 99)} {rng.choice(NOUNS)} "
        f"readings and a {rng.choice(ADJECTIVES)} {rng.choice(NOUNS)}. {sentence(rng)}"
    )


def value(schema: Mapping[str, Any], rng: Random, name: str = "") -> Any:
    """A value that fits `schema`, worded after the property's name."""
    for fixed in ("const", "default"):
        if fixed in schema:
            return schema[fixed]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return value(schema[choice][0], rng, name)
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {key: value(inner, rng, key) for key, inner in schema.get("properties", {}).items()}
    if kind == "array":
        told = RANGE.search(str(schema.get("description", "")))
        least = int(schema.get("minItems", told[1] if told else 3))
        most = int(schema.get("maxItems", told[2] if told else max(least, 5)))
        return [value(schema.get("items", {"type": "string"}), rng, name) for _ in range(rng.randint(least, max(least, most)))]
    if kind == "string":
        return _text(schema, rng, name)
    low, high = int(schema.get("minimum", 0)), int(schema.get("maximum", 100))
    plain = {"integer": rng.randint(low, high), "number": rng.uniform(low, high), "boolean": rng.random() < 0.5}
    return plain.get(kind)


def _text(schema: Mapping[str, Any], rng: Random, name: str) -> str:
    if re.search(r"introduction|description|text|reason|question|answer", name):
        said = prose(rng, 2)
    else:
        said = title(rng) if re.search(r"name|title", name) else term(rng)
    least, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", 10_000))
    while len(said) < least:
        said += " " + sentence(rng)
    said = said[:most]
    pattern = schema.get("pattern")
    if pattern and not re.search(pattern, said):
        tries = (
            make(rng)
            for _ in range(20)
            for make in (title, term, sentence, lambda rng: rng.choice(NOUNS), lambda rng: str(rng.randint(0, 99)))
        )
        said = next((other for other in tries if re.search(pattern, other)), said)
    return said
