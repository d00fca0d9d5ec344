"""Runs a tool against the counting server: a first run, the same again, one input changed, and a run that is killed and taken up again."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from bench.peers.tools import GLAND, Way, environment
from tests.completions import completion
from tests.server import ModelServer
from tests.speech import ADJECTIVES, NOUNS

ROWS = 300
CHANGED = 123
STILL_S = 120.0  # without a request or an end: the run hangs
CASE = re.compile(r"[A-Z][a-z]+ [a-z]+, case \d{3}")


@dataclass(frozen=True)
class Run:
    """One run of a tool, to its end or to its death."""

    fault: str  # how it ended, when not well
    rows: list[dict[str, str]]
    received: int  # requests at the server
    replies: list[tuple[str, str]]  # of those that got one: whom it is for, and what it said
    cpu_s: float  # of the process and all that it waited for
    wall_s: float


@dataclass(frozen=True)
class Changed:
    """What a run made of one changed input."""

    others_kept: int  # rows of the other inputs that stand as they stood
    fresh: int  # rows of the changed input whose answer is a reply of this run
    stale: int  # its other rows, and those of the text it had before


@dataclass(frozen=True)
class Resumed:
    """What a run paid again after the one before it was killed."""

    before: int  # replies paid before the kill
    again: int  # of what those were for, replies paid a second time
    run: Run  # the second run

    @property
    def share(self) -> float:
        """Of the replies paid before the kill, the part paid again."""
        return self.again / self.before


def inputs() -> list[dict[str, str]]:
    """The inputs: an id and a text each."""
    rng = Random(1)
    return [{"id": f"row-{n:03}", "question": f"{rng.choice(ADJECTIVES).title()} {rng.choice(NOUNS)}, case {n:03}"} for n in range(ROWS)]


class Trial:
    """One way to use a tool, with a folder of its own for everything that it keeps."""

    def __init__(self, way: Way, server: ModelServer, venvs: Path, folder: Path) -> None:
        self._way, self._server, self._venvs, self._folder = way, server, venvs, folder
        folder.mkdir(parents=True)

    def run(self, given: list[dict[str, str]], kill_after: int | None = None, option: int | None = None) -> Run:
        """Runs the tool on the inputs; kills it with all its processes once the server has given so many replies, or when it hangs."""
        told, out = self._folder / "inputs.json", self._folder / "out.json"
        told.write_text(json.dumps(given))
        out.unlink(missing_ok=True)
        since, began = self._server.count, time.perf_counter()
        taken = str(self._way.option if option is None else option)
        script = Path(__file__).with_name(self._way.tool.script)
        with open(self._folder / "log.txt", "ab") as log:
            process = subprocess.Popen(
                [self._way.tool.python(self._venvs), "-P", script, self._server.url, self._folder, told, out, taken],
                cwd=self._folder, env=environment(self._way.tool, self._folder), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        fault, usage = self._watch(process, kill_after)
        took = time.perf_counter() - began
        seen = self._server.log[since:]
        replies = [(self._for(one["body"]), said(one["body"])) for one in seen if one["answered"]]
        rows = json.loads(out.read_text()) if out.exists() else []
        return Run(fault, rows, len(seen), [one for one in replies if one[0]], usage.ru_utime + usage.ru_stime, took)

    def _watch(self, process: subprocess.Popen[bytes], kill_after: int | None) -> tuple[str, resource.struct_rusage]:
        """Waits for the end of a process, or brings it about; how it ended, when not well, and what it and its children used."""
        goal = None if kill_after is None else self._server.answered + kill_after
        heard, hangs = (time.perf_counter(), self._server.count), False
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            time.sleep(0.002)
            if self._server.count != heard[1]:
                heard = time.perf_counter(), self._server.count
            hangs = hangs or time.perf_counter() - heard[0] > STILL_S
            if hangs or (goal is not None and self._server.answered >= goal):
                _kill(process.pid)
        process.returncode = os.waitstatus_to_exitcode(ended[1])
        return ("hangs" if hangs else f"exit {process.returncode}" if process.returncode else ""), ended[2]

    def change(self, before: Run, given: list[dict[str, str]], edit: Mapping[str, str]) -> tuple[list[dict[str, str]], Run, Changed]:
        """Runs again with one input edited; returns the inputs as they then were too."""
        edited = [{**one, **edit} if n == CHANGED else one for n, one in enumerate(given)]
        after = self.run(edited)
        old, new = given[CHANGED]["question"], edited[CHANGED]["question"]
        stood, others = (Counter(_row(row) for row in run.rows if row["question"] not in (old, new)) for run in (before, after))
        replies = {reply for _, reply in after.replies}
        mine = [(row["question"], row["answer"].strip() in replies) for row in after.rows if row["question"] in (old, new)]
        fresh = mine.count((new, True))
        return edited, after, Changed((stood & others).total(), fresh, len(mine) - fresh)

    def resume(self, killed: Run, given: list[dict[str, str]], option: int | None = None) -> Resumed:
        """Runs again after `killed`, and counts what had been paid already."""
        after = self.run(given, option=option)
        both = Counter(whom for whom, _ in killed.replies + after.replies)
        return Resumed(len(killed.replies), sum(both[whom] - 1 for whom in {whom for whom, _ in killed.replies}), after)

    def _for(self, body: dict[str, Any]) -> str:
        """What a request is for: a peer's row, or GLAND's whole request, since a row takes several; "" for a probe of the connection."""
        text = json.dumps(body, sort_keys=True, ensure_ascii=False)
        if self._way.tool is GLAND:
            return text
        found = CASE.search(text)
        return found[0] if found else ""


def said(body: dict[str, Any]) -> str:
    """What the server replies to a body."""
    return str(completion(body)["choices"][0]["message"]["content"]).strip()


def _row(row: dict[str, str]) -> tuple[str, str]:
    return row["question"], row["answer"]


def _kill(group: int) -> None:
    """SIGKILL to all processes of a run at once, as when a machine loses power."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
