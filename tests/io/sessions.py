"""Other processes with a DuckDB file open, as people have: a real session each, held until it is told to end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SESSION = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "reads")
for statement in sys.argv[3:]:
    connection.execute(statement)
print("open", flush=True)
sys.stdin.read()
"""


@contextmanager
def session(path: Path, *statements: str, reads: bool) -> Iterator[subprocess.Popen[str]]:
    """A process with `path` open, read-only or by default; its statements have run. Ends with the body, or when its input is closed."""
    command = [sys.executable, "-c", _SESSION, str(path), "reads" if reads else "writes", *statements]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "open\n"
        try:
            yield process
        finally:
            if process.stdin is not None and not process.stdin.closed:
                process.stdin.close()
            process.wait(60)
