"""The two lock files: are they in step with pyproject.toml, and does any file of the checkout name a registry's host?

`python .ci/lock.py check` says what is wrong and exits 1; `python .ci/lock.py write` writes the locks anew, keeping the pins that still
fit. Both ask uv, which needs the package index; a pin that plainly fails pyproject.toml is told before that, without a network.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

RUNTIME, DEVELOPMENT = "requirements.lock", "requirements-dev.lock"
LOCAL = "local"  # the extra that a demo needs; the others only the tests do
OLDEST_PYTHON = "3.11"  # the locks cover this and all later ones, whichever Python asks

PIN = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;\\]+)", re.MULTILINE)
HOST = re.compile(
    r"--(?:extra-)?index[-_]url[\s=]"  # an index named on a command line or in a lock
    r"|(?:^|\s)(?:extra-)?index-url\s*=|^\s*\[\[tool\.uv\.index\]\]"  # or in settings
    r"|https?://[^\s\"'/]+/(?:\S+/)?simple\b|files\.python[h]osted\.org|registry\.npm[j]s\.org",
    re.MULTILINE,
)


def declared(pyproject: dict[str, Any], groups: tuple[str, ...]) -> list[Requirement]:
    """The requirements that a lock over `groups` must satisfy: the package's own, theirs, and those of its extras, all of them for dev."""
    project = pyproject["project"]
    extras = project.get("optional-dependencies", {})
    lists = [project["dependencies"], *(lines for extra, lines in extras.items() if extra == LOCAL or "dev" in groups)]
    lists += [pyproject.get("dependency-groups", {}).get(group, []) for group in groups]
    return [Requirement(line) for lines in lists for line in lines]


def unmet(lock: str, requirements: list[Requirement]) -> Iterator[str]:
    """One line for each requirement that no pin of the lock's text satisfies, and for each pin without a hash."""
    pins: dict[str, list[Version]] = {}
    for pin in PIN.finditer(lock):
        pins.setdefault(canonicalize_name(pin["name"]), []).append(Version(pin["version"]))
        if not lock[pin.end() :].split("\n", 2)[1].strip().startswith("--hash=sha256:"):
            yield f"{pin['name']} {pin['version']} has no hash"
    for requirement in requirements:
        versions = pins.get(canonicalize_name(requirement.name), [])
        if not any(requirement.specifier.contains(version, prereleases=True) for version in versions):
            found = ", ".join(map(str, versions)) or "nothing"
            yield f"pyproject.toml asks for {requirement}, and the lock holds {found}"


def compile_locks(folder: Path) -> None:
    """Let uv write both locks in `folder`, which holds pyproject.toml; pins of locks that stand there are kept where they still fit.

    Raises CalledProcessError when uv finds no answer or no index.
    """
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        raise SystemExit("uv is missing; run `make check-lock` or `make lock`, which install it")
    command = [
        uv, "pip", "compile", "pyproject.toml", "--quiet", "--universal", "--python-version", OLDEST_PYTHON, "--generate-hashes",
        "--no-emit-index-url", "--no-header", "--extra", "local", "--group", "weights", "--group", "build",
    ]  # fmt: skip
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_PYTHON": sys.executable}
    extras = tomllib.loads((folder / "pyproject.toml").read_text())["project"].get("optional-dependencies", {})
    providers = [word for extra in sorted(extras.keys() - {LOCAL}) for word in ("--extra", extra)]
    for more in (["-o", RUNTIME], [*providers, "--group", "dev", "-c", RUNTIME, "-o", DEVELOPMENT]):
        subprocess.run([*command, *more], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)


def drift(root: Path) -> Iterator[str]:
    """The lines by which the locks in `root` differ from what uv makes of pyproject.toml with the same pins as preference."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("pyproject.toml", RUNTIME, DEVELOPMENT):
            shutil.copy(root / file, folder / file)
        compile_locks(folder)
        for file in (RUNTIME, DEVELOPMENT):
            stands, made = (root / file).read_text().splitlines(), (folder / file).read_text().splitlines()
            yield from difflib.unified_diff(stands, made, file, f"{file} (as pyproject.toml asks)", lineterm="", n=1)


def hosts(root: Path) -> Iterator[str]:
    """`file:line: text` wherever a file of the checkout, new ones too, names a package registry's host or an index option."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={root}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        path = root / name
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        for hit in HOST.finditer(text):
            line = text.count("\n", 0, hit.start() + 1) + 1
            yield f"{name}:{line}: names a registry: {hit[0].strip()}"


def check(root: Path) -> list[str]:
    """Every fault found, cheapest check first; an empty list means all is in step."""
    pyproject = tomllib.loads((root / "pyproject.toml").read_text())
    faults = list(hosts(root))
    for file, groups in ((RUNTIME, ("weights", "build")), (DEVELOPMENT, ("weights", "build", "dev"))):
        faults += [f"{file}: {line}" for line in unmet((root / file).read_text(), declared(pyproject, groups))]
    return faults or list(drift(root))


def main(arguments: list[str]) -> int:
    """Run `check` or `write` in the current folder; 0 when all is well, 1 with the faults on standard error otherwise."""
    root = Path.cwd()
    if arguments == ["write"]:
        compile_locks(root)
        return 0
    if arguments != ["check"]:
        raise SystemExit("usage: python .ci/lock.py check|write")
    faults = check(root)
    if faults:
        print(*faults, "The locks or the files above are out of step; `make lock` writes the locks anew.", sep="\n", file=sys.stderr)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
