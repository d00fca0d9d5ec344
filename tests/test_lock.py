"""The lock check: passes on what stands, and fails when a dependency is added, a pin moved, a hash lost or a registry named.

uv runs for real, over wheels made here, so no network is touched.
"""

from __future__ import annotations

import runpy
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / ".ci" / "lock.py"
PYPROJECT = """
[project]
name = "sample"
version = "1"
requires-python = ">=3.11"
dependencies = [{dependencies}]
[project.optional-dependencies]
local = []
[dependency-groups]
weights = []
build = []
dev = ["tool >=1"]
"""


def wheel(folder: Path, name: str, version: str, *requires: str) -> None:
    """An empty but real wheel."""
    info = f"{name}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", *(f"Requires-Dist: {r}\n" for r in requires)]
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{info}/METADATA", "".join(metadata))
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git checkout with one dependency, locked, whose only index is a folder of four wheels."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheel(wheels, "alpha", "1.0", "beta>=1")
    wheel(wheels, "beta", "1.0")
    wheel(wheels, "gamma", "1.0")
    wheel(wheels, "tool", "1.0")
    for name in ("UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    root = tmp_path / "checkout"
    root.mkdir()
    depend(root, "alpha >=1")
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    assert lock(root, "write").returncode == 0
    return root


def depend(root: Path, *names: str) -> None:
    """Write a pyproject.toml that depends on `names`."""
    (root / "pyproject.toml").write_text(PYPROJECT.format(dependencies=", ".join(f'"{name}"' for name in names)))


def lock(root: Path, verb: str) -> subprocess.CompletedProcess[str]:
    """The lock script's run in `root`."""
    return subprocess.run([sys.executable, str(SCRIPT), verb], cwd=root, capture_output=True, text=True)


def test_what_was_just_written_is_in_step(project: Path) -> None:
    done = lock(project, "check")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_dependency_that_is_not_locked_fails(project: Path) -> None:
    depend(project, "alpha >=1", "gamma")
    done = lock(project, "check")
    assert done.returncode == 1
    assert "requirements.lock: pyproject.toml asks for gamma, and the lock holds nothing" in done.stderr


def test_a_dependency_that_is_locked_only_as_anothers_fails_too(project: Path) -> None:
    depend(project, "alpha >=1", "beta >=1")
    done = lock(project, "check")
    assert done.returncode == 1
    assert "as pyproject.toml asks" in done.stderr  # no pin is missing: only uv's own answer tells


def test_a_dependency_that_was_dropped_fails(project: Path) -> None:
    depend(project)
    done = lock(project, "check")
    assert done.returncode == 1
    assert "-alpha==1.0" in done.stderr


def test_a_lost_hash_and_a_pin_out_of_range_fail(project: Path) -> None:
    path = project / "requirements.lock"
    stands = path.read_text()
    path.write_text(stands.replace("alpha==1.0 \\\n    --hash=", "alpha==1.0\n    # "))
    assert "alpha 1.0 has no hash" in lock(project, "check").stderr
    path.write_text(stands.replace("alpha==1.0", "alpha==0.9"))
    assert "asks for alpha>=1, and the lock holds 0.9" in lock(project, "check").stderr


@pytest.mark.parametrize(
    "line",
    ["--index" + "-url https://example.org/", "--extra-index" + "-url=x", "index" + '-url = "x"', "[[tool.uv." + "index]]",
     "https://example.org/root/" + "simple", "https://files.python" + "hosted.org/packages/a"],
)  # fmt: skip
def test_a_file_that_names_a_registry_fails_with_its_line(project: Path, line: str) -> None:
    (project / "notes.txt").write_text(f"one\n{line}\n")
    done = lock(project, "check")
    assert done.returncode == 1
    assert "notes.txt:2: names a registry" in done.stderr


def test_this_projects_locks_hold_what_it_declares_at_the_duckdb_it_is_tested_with() -> None:
    script = SimpleNamespace(**runpy.run_path(str(SCRIPT)))
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime, development = ((ROOT / name).read_text() for name in ("requirements.lock", "requirements-dev.lock"))
    assert list(script.unmet(runtime, script.declared(pyproject, ("weights", "build")))) == []
    assert list(script.unmet(development, script.declared(pyproject, ("weights", "build", "dev")))) == []
    assert set(script.PIN.findall(runtime)) <= set(script.PIN.findall(development))
    assert ("duckdb", "1.5.5") in script.PIN.findall(runtime)


def test_the_script_refuses_what_it_does_not_know(project: Path) -> None:
    done = lock(project, "chekc")
    assert done.returncode == 1
    assert "usage:" in done.stderr
