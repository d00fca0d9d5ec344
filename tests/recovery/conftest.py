"""A project that was built once, to be damaged in many ways."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.recovery.published import digests
from tests.server import ModelServer
from tests.test_build import build, served


@dataclass(frozen=True)
class Built:
    """A project of three disciplines with two pairs each, and what it published."""

    folder: Path
    calls: int
    digests: dict[str, tuple[int, str]]

    @property
    def warehouse(self) -> Path:
        return self.folder / "warehouse"

    def edit(self) -> None:
        """One pair more for Logic: its question and its answer have to be asked for."""
        taxonomy = self.folder / "taxonomy.toml"
        taxonomy.write_text(taxonomy.read_text().replace('"Logic"', '{ name = "Logic", pairs = 3 }'))


@pytest.fixture(scope="package")
def _built_once(tmp_path_factory: pytest.TempPathFactory, _running_server: ModelServer) -> Built:
    _running_server.reset()
    folder = served(tmp_path_factory.mktemp("sound"), _running_server, pairs=2)
    code, said = build(folder, "--workers", "1")
    assert code == 0, said
    return Built(folder, _running_server.answered, digests(folder))


@pytest.fixture
def built(_built_once: Built, tmp_path: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> Built:
    """A copy of the built project, its server forgetful and the key of its model at hand."""
    monkeypatch.setenv("SMALL_KEY", "sk-of-the-test")
    shutil.copytree(_built_once.folder, tmp_path / "built")
    return Built(tmp_path / "built", _built_once.calls, _built_once.digests)
