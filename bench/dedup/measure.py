"""What a process takes, with its start and all processes that come of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# A process of its own starts what is measured: the system counts as the peak of a process what its parent held when it was started.
LAUNCHER = """
import json, os, resource, sys
process = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print("\\n" + json.dumps([status, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""
MIB = 1024  # kibibytes


class Used(NamedTuple):
    """CPU seconds, user and system, peak MiB of the largest process, and what was printed."""

    seconds: float
    peak: float
    said: str


class Failed(Exception):
    """The process ended with another code than 0; says how its complaint ends."""


def measured(*line: str | Path, folder: Path | None = None, env: Mapping[str, str] | None = None, timeout_s: float | None = None) -> Used:
    """Run a command line to its end, in `folder`. Raises Failed, or subprocess.TimeoutExpired."""
    launched: Sequence[str] = [sys.executable, "-S", "-c", LAUNCHER, *map(str, line)]
    done = subprocess.run(launched, cwd=folder, env=env, capture_output=True, text=True, timeout=timeout_s, check=True)
    said, _, last = done.stdout.rstrip().rpartition("\n")
    status, seconds, peak = json.loads(last)
    if status:
        raise Failed((done.stderr.strip().splitlines() or [f"exit code {status}"])[-1])
    return Used(seconds, peak / MIB, said.strip())
