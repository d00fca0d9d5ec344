"""The tools that are compared, how each is used, and their installation. Pinned here alone: none of them is a dependency of this project.

Versions were the newest on 2026-11-22; of data-designer the newest that installs, since 0.9.7 asks for a certifi that was not out then.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
QUIET = {
    "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "NEMO_TELEMETRY_ENABLED": "false",
    "TELEMETRY_ENABLED": "false", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "TQDM_DISABLE": "1",
    "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1,localhost",
}  # fmt: skip
"""Telemetry off, and nothing beyond loopback to be reached by those who heed a proxy."""


@dataclass(frozen=True)
class Tool:
    """One tool: its name, its script here, and what pip is asked for; nothing for this project's own."""

    name: str
    script: str
    requirement: str = ""
    version: str = ""
    missing: tuple[str, ...] = ()  # what it imports without asking for it
    newer: str = ""  # a version that could not be installed when the pin was set

    def python(self, venvs: Path) -> Path:
        """The interpreter that runs it."""
        return venvs / self.name / "bin" / "python" if self.requirement else Path(sys.executable)


GLAND = Tool("gland", "run_gland.py", version="of this checkout")
DISTILABEL = Tool("distilabel", "run_distilabel.py", "distilabel[openai]", "1.5.3", missing=("requests",))
CURATOR = Tool("curator", "run_curator.py", "bespokelabs-curator", "0.1.31")
DATA_DESIGNER = Tool("data-designer", "run_data_designer.py", "data-designer", "0.9.6", newer="0.9.7")
SDG_HUB = Tool("sdg-hub", "run_sdg_hub.py", "sdg-hub", "0.9.4")
TOOLS = (GLAND, DISTILABEL, CURATOR, DATA_DESIGNER, SDG_HUB)

NEW_TEXT = {"question": "Late tide, case 123"}


@dataclass(frozen=True)
class Way:
    """One way to use a tool: `option` is what its script takes."""

    tool: Tool
    label: str
    option: int
    edits: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: {"one input": NEW_TEXT})
    repeated: bool = True  # else run once, being slow


WAYS = (
    Way(GLAND, "300 disciplines of 1 pair", 1, {"one name": NEW_TEXT, "one answer's temperature": {"temperature": "0.9"}}, repeated=False),
    Way(GLAND, "1 discipline of 300 pairs", 300, {}),
    Way(DISTILABEL, "input_batch_size=50 (default)", 50),
    Way(DISTILABEL, "input_batch_size=10", 10),
    Way(CURATOR, "as it comes", 0),
    Way(DATA_DESIGNER, "buffer_size=1000 (default)", 1000),
    Way(DATA_DESIGNER, "buffer_size=10", 10),
    Way(SDG_HUB, "save_freq=100 (its manual)", 100),
    Way(SDG_HUB, "save_freq=10", 10),
)


def environment(tool: Tool, home: Path) -> dict[str, str]:
    """What a tool's process sees: no key, no cache but under `home`, and for GLAND this checkout."""
    kept = {name: value for name, value in os.environ.items() if not re.search("_API_KEY$|^GLAND_|^PYTHON|_proxy$", name, re.IGNORECASE)}
    return {**kept, **QUIET, "HOME": str(home), **({} if tool.requirement else {"PYTHONPATH": str(ROOT)})}


def install(tool: Tool, venvs: Path) -> str:
    """Makes the tool's virtual environment unless it is there; returns what there is to say, "" when it can be run."""
    if not tool.requirement or tool.python(venvs).with_name("installed").exists():
        return ""
    venv.create(venvs / tool.name, with_pip=True)
    if tool.newer and not (refused := _pip(tool, venvs, f"{tool.requirement}=={tool.newer}", "--dry-run")):
        print(f"{tool.name} {tool.newer} can be installed now: raise the pin in {Path(__file__).name}")
    elif tool.newer:
        print(f"{tool.name} {tool.newer} does not install: {refused}")
    if refused := _pip(tool, venvs, f"{tool.requirement}=={tool.version}", *tool.missing):
        return refused
    tool.python(venvs).with_name("installed").touch()
    return ""


def _pip(tool: Tool, venvs: Path, *wanted: str) -> str:
    """Installs into the tool's environment; the last line of pip's complaint, "" when there is none."""
    done = subprocess.run([tool.python(venvs), "-m", "pip", "install", "-q", *wanted], capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]
