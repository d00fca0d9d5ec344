"""The plugin that forbids skips: each way of leaving a test out must make the run fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    """Pytest's run over one file with `source`, the plugin loaded and nothing of this project's settings."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").write_text("import pytest\n" + source)
    command = [sys.executable, "-m", "pytest", "-p", "tests.no_skips", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize(
    "source",
    [
        "def test_a(): pytest.skip('no ground')\n",
        "@pytest.mark.skip(reason='no ground')\ndef test_a(): pass\n",
        "@pytest.mark.skipif(True, reason='no ground')\ndef test_a(): pass\n",
        "@pytest.fixture\ndef it(): pytest.skip('no ground')\ndef test_a(it): pass\n",
        "@pytest.mark.xfail(reason='no ground')\ndef test_a(): assert False\n",
        "@pytest.mark.xfail(reason='no ground')\ndef test_a(): pass\n",
        "pytest.skip('no ground', allow_module_level=True)\n",
        "pytest.importorskip('no_such_module_at_all', reason='no ground')\n",
    ],
    ids=["call", "mark", "skipif", "fixture", "xfailed", "xpassed", "module", "importorskip"],
)
def test_every_way_out_fails_the_run_and_gives_its_reason(tmp_path: Path, source: str) -> None:
    done = run(tmp_path, source)
    assert done.returncode not in (0, 5), done.stdout
    assert "no ground" in done.stdout
    assert "skipped" not in done.stdout.splitlines()[-1]


def test_a_plain_test_still_passes_and_a_plain_failure_still_fails(tmp_path: Path) -> None:
    assert run(tmp_path, "def test_a(): assert 1\n").returncode == 0
    assert run(tmp_path, "def test_a(): assert 0\n").returncode == 1
