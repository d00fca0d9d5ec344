"""The levels of the road and what each is made from. The graph of design, in one place."""

from __future__ import annotations

DECLARED = ("fields", "subfields", "disciplines")
GENERATED = ("subjects", "syllabi", "questions", "answers")
PARTITIONED = (*DECLARED, *GENERATED, "signatures", "contamination")
UNPARTITIONED = ("duplicates", "dataset")

REFERENCE = "reference:"
"""Begins what stands for the discipline of texts that questions are compared with and that are never published."""

IMPORTED = "imported"
"""The strategy of a question that was brought along, and the asset that holds those of a discipline."""

GIVEN = (IMPORTED, "references", "reference_signatures")
"""What people bring along: rows of disciplines, and texts that these are compared with. No level: nothing makes them."""

UPSTREAM: dict[str, tuple[str, ...]] = {
    "fields": (),
    "subfields": (),
    "disciplines": (),
    "subjects": ("disciplines",),
    "syllabi": ("subjects",),
    "questions": ("subjects", "syllabi"),
    "answers": ("questions",),
    "signatures": ("questions",),
    "contamination": ("questions", "answers"),
    "duplicates": ("signatures", "answers", "contamination"),
    "dataset": (*DECLARED, *GENERATED, "signatures", "contamination", "duplicates"),
}


def upstream(level: str, over: str) -> tuple[str, ...]:
    """What a level is made from where duplicates are looked for `over` questions, answers or both. Lineage shows UPSTREAM."""
    return ("questions", "answers") if level == "signatures" and over != "questions" else UPSTREAM[level]


TURNS = {"subjects": 2, "syllabi": 2, "questions": 1, "answers": 1}
"""Calls that a row takes when no reply is rejected: in two turns the second reads what the first has written."""

RECIPE_VERSION = dict.fromkeys((*PARTITIONED, *UNPARTITIONED), "1") | {"signatures": "4", "contamination": "2"}
"""Raised by hand when code changes what a level makes; a code change that leaves it alone remakes nothing."""
