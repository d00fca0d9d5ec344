"""docs/cli.md and the commands say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from gland_assets.cli.app import app

DOCS = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
SECTIONS = {found[1]: found[0] for found in re.finditer(r"^## `gland (\w+).*?(?=^## |\Z)", DOCS, re.MULTILINE | re.DOTALL)}
COMMANDS = getattr(get_command(app), "commands")  # noqa: B009 - typer's own class, untyped


def test_every_verb_has_a_section_in_the_same_order() -> None:
    assert list(SECTIONS) == list(COMMANDS)


@pytest.mark.parametrize("verb", list(COMMANDS))
def test_a_section_names_every_option_of_its_verb_and_no_other(verb: str) -> None:
    verbs = getattr(COMMANDS[verb], "commands", {verb: COMMANDS[verb]}).values()
    options = {name for one in verbs for parameter in one.params for name in parameter.opts if name.startswith("-")}
    named = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*\b", SECTIONS[verb]))
    assert options - {"--discipline"} <= named
    assert named <= options, "an option that is not there"


def test_the_global_options_are_named() -> None:
    options = {name for parameter in get_command(app).params for name in parameter.opts}
    assert all(f"`{name}" in DOCS for name in options)
