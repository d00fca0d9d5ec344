"""`gland init`: a small project to begin with, which validates and plans as it stands."""

from __future__ import annotations

from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from gland_assets.cli import render
from gland_assets.core.errors import GlandError
from gland_assets.core.prompts import SLOTS

PROVIDER, PROMPTS = "# {provider}\n", "# {prompts}\n"
"""The lines of the template that the provider's block and the prompts folder take the place of."""

NAME = "{name}"
OWN_PROMPTS = '# prompts = "prompts/"  # a folder of prompts of your own, which take the place of the packaged ones file by file\n'
SHORT_PROMPTS = 'prompts = "prompts/"  # short ones, for a very small model; take this line out when you ask a larger one\n'


class Provider(StrEnum):
    """Who is asked."""

    local = "local"
    ollama = "ollama"
    openai = "openai"
    anthropic = "anthropic"
    vllm = "vllm"


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The project's folder; made when it does not exist.")] = Path("."),
    provider: Annotated[Provider, typer.Option("--provider", help="Who is asked.", show_default=True)] = Provider.local,
) -> None:
    """Write a small project: taxonomy.toml, definitions.py and .gitignore. Nothing is ever overwritten."""
    target = folder.expanduser()
    wanted = contents(target.absolute().name, provider)
    _refuse_to_overwrite(target, wanted)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, text in wanted.items():
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise GlandError(f"{error.filename or target} cannot be written: {error.strerror}; choose a folder you may write to") from None
    render.say(f"Written to {target}: {', '.join(dict.fromkeys(name.split('/')[0] + '/' * ('/' in name) for name in wanted))}")
    render.say()
    _next(target, provider)


def contents(name: str, provider: Provider) -> dict[str, str]:
    """File name -> text of a new project called `name`."""
    local = provider is Provider.local
    taxonomy = _template("taxonomy.toml").replace(PROMPTS, SHORT_PROMPTS if local else OWN_PROMPTS)
    taxonomy = taxonomy.replace(PROVIDER, _template(f"{provider}.toml")).replace(NAME, _quotable(name))
    written = {"taxonomy.toml": taxonomy, "definitions.py": _template("definitions.txt"), ".gitignore": _template("gitignore.txt")}
    return written | ({f"prompts/{prompt}": _template(f"prompts/{prompt}") for prompt in SLOTS} if local else {})


def _quotable(name: str) -> str:
    """A folder's name as it may stand between quotes; `dataset` when nothing of it may."""
    return "".join(letter for letter in name if letter.isprintable() and letter not in '"\\').strip()[:80] or "dataset"


def _template(name: str) -> str:
    return files("gland_assets").joinpath("cli", "templates", *name.split("/")).read_text(encoding="utf-8")


def _refuse_to_overwrite(target: Path, wanted: dict[str, str]) -> None:
    if target.exists() and not target.is_dir():
        raise GlandError(f"{target} is a file; name a folder")
    standing = [str(target / name) for name in wanted if (target / name).exists()]
    if standing:
        raise GlandError(f"nothing was written: {', '.join(standing)} {'stands' if len(standing) == 1 else 'stand'} there already")


def _next(target: Path, provider: Provider) -> None:
    steps = [("gland validate", "checks what you have declared"), ("gland plan", "what a build will make, and what it takes")]
    if provider in KEYS:
        steps.append((f"export {KEYS[provider]}=…", "the key stays in the environment"))
    if provider is not Provider.local:
        steps.append(("gland validate --live", "asks each deployment one tiny question"))
    steps += [("gland build", "makes it"), ("gland show", "a few pairs to read"), ("gland ui", "the same in Dagster's web interface")]
    if target.absolute() != Path.cwd():
        steps.insert(0, (f"cd {target}", ""))
    render.say("Next:")
    table = render.columns()
    for command, meaning in steps:
        table.add_row(f"  {command}", meaning)
    render.put(table)


KEYS = {Provider.openai: "OPENAI_API_KEY", Provider.anthropic: "ANTHROPIC_API_KEY"}
"""The variable that each provider's block names."""
