"""A disk that is nearly full, and a folder that may not be written: real ones, whoever runs the tests."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.cli.running import Ran, command, environment

CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24


class SmallDisk:
    """A disk in memory that holds a copy of a project, seen by those alone who run on it.

    Where the system lets nobody mount one, files of more than `room` bytes stand for a full disk.
    """

    def __init__(self, project: Path, place: Path, room: int) -> None:
        self.place, self._room, self._limited = place, room, True
        place.mkdir()
        as_user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        mount = 'mount -t tmpfs -o size=512m tmpfs "$0" && cp -a "$1/." "$0" && echo mounted && exec cat'
        self._holder = subprocess.Popen(
            ["unshare", "--mount", *as_user, "sh", "-c", mount, str(place), str(project)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert self._holder.stdout is not None
        self.mounted = self._holder.stdout.readline() == "mounted\n"
        if self.mounted:
            self.folder = Path(f"/proc/{self._holder.pid}/root{place}")
            used = shutil.disk_usage(self.folder).used
            self._remount(f"{(used + room) // 1024}k")
        else:
            self.folder = place
            shutil.copytree(project, place, dirs_exist_ok=True)

    def _inside(self, *arguments: str) -> list[str]:
        if not self.mounted:
            return list(arguments)
        as_user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        return ["nsenter", f"--target={self._holder.pid}", "--mount", *as_user, *arguments]

    def _remount(self, size: str) -> None:
        subprocess.run(self._inside("mount", "-o", f"remount,size={size}", str(self.place)), check=True)

    def make_room(self) -> None:
        """Half a gigabyte of it."""
        if self.mounted:
            self._remount("512m")
        self._limited = False

    def run(self, *arguments: str, env: Mapping[str, str]) -> Ran:
        """`gland` on this disk."""

        def limit() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (self._room, self._room))

        done = subprocess.run(
            self._inside("sh", "-c", 'cd "$0" && exec "$@"', str(self.place), *command(*arguments)), env=environment(env),
            capture_output=True, text=True, timeout=180, check=False, stdin=subprocess.DEVNULL,
            preexec_fn=limit if self._limited and not self.mounted else None,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr)

    def close(self) -> None:
        self._holder.communicate()


@contextmanager
def small_disk(project: Path, place: Path, room: int) -> Iterator[SmallDisk]:
    """A disk mounted at `place` with a copy of `project` and `room` bytes left."""
    disk = SmallDisk(project, place, room)
    try:
        yield disk
    finally:
        disk.close()


def obeying_modes() -> None:
    """Run first in a new process: from then on it may write only where the modes of files say so, whoever it runs as."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        if os.geteuid() == 0 and libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "the right to write anywhere cannot be given up")


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing in `folder` may be written meanwhile."""
    parts = [folder, *folder.rglob("*")]
    modes = {part: part.stat().st_mode for part in parts}
    for part, mode in modes.items():
        part.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.chmod(mode)


def gland_obeying(folder: Path, *arguments: str, env: Mapping[str, str]) -> Ran:
    """`gland` as a process that modes hold back."""
    done = subprocess.run(
        command(*arguments), cwd=folder, env=environment(env), capture_output=True, text=True, timeout=180, check=False,
        stdin=subprocess.DEVNULL, preexec_fn=obeying_modes,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout, done.stderr)
