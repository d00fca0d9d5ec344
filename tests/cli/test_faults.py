"""How commands end: exit codes, faults on stderr without a traceback, and plain output where no terminal is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gland_assets import __version__
from gland_assets.core.errors import GlandError, Stopped
from tests.cli.running import HEAD, TREE, command, declare, environment, gland, gland_alone

VERBS = (["validate"], ["plan"], ["build"], ["status"], ["show"], ["sql"], ["publish"], ["export", "--format", "messages", "out"], ["ui"])


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: str(verb[0]))
def test_every_verb_refuses_a_faulty_taxonomy_with_all_its_faults(verb: list[str], tmp_path: Path) -> None:
    folder = declare(tmp_path, head=HEAD.replace("pairs = 10", "pairs = -1"), tree=TREE.replace('"Optics"', '"Logic"'))
    ran = gland(folder, *verb)
    assert (ran.code, ran.out) == (2, "")
    first, *faults = ran.err.splitlines()
    assert first == "2 faults:" and len(faults) == 2
    assert "taxonomy.toml:8 " in faults[0] and "pairs" in faults[0] and "taxonomy.toml:17" in faults[1]
    columns = [fault.index(node) for fault, node in zip(faults, ("[defaults]", "discipline"), strict=True)]
    assert len(set(columns)) == 1, "nodes stand below one another"


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: str(verb[0]))
def test_every_verb_says_what_to_do_without_a_taxonomy(verb: list[str], tmp_path: Path) -> None:
    ran = gland(tmp_path, *verb)
    assert ran.code == 2
    assert "gland init" in ran.err and "--taxonomy" in ran.err and "Traceback" not in ran.err


def test_the_exit_code_is_the_error_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(tmp_path)
    for error, code in ((GlandError("no"), 2), (Stopped("stopped"), 130), (KeyboardInterrupt(), 130)):

        def fail(*_: object, error: BaseException = error) -> None:
            raise error

        monkeypatch.setattr("gland_assets.io.project.load_project", fail)
        assert gland(tmp_path, "plan").code == code


def test_an_unknown_verb_or_option_is_bad_input(tmp_path: Path) -> None:
    for arguments in (["buidl"], ["plan", "--jason"], ["export", "out"], ["build", "--workers", "0"], ["ui", "--port", "99999"]):
        ran = gland(tmp_path, *arguments)
        assert ran.code == 2 and "Error" in ran.err and "Traceback" not in ran.err


def test_an_unexpected_error_keeps_its_traceback_and_shows_no_variables(tmp_path: Path) -> None:
    declare(tmp_path)
    code = (
        "import gland_assets.io.project as p\n"
        "def boom(path):\n    secret = 'sk-' + 'very-secret'\n    raise ZeroDivisionError('a fault of ours')\n"
        "p.load_project = boom\nfrom gland_assets.cli import main\nmain()"
    )
    ran = subprocess.run([*command()[:2], code, "plan"], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60)
    assert ran.returncode not in (0, 2, 130)
    assert ran.returncode == 70
    assert "Traceback" in ran.stderr and "a fault of ours" in ran.stderr and "sk-very-secret" not in ran.stderr


@pytest.mark.parametrize("verb", [["plan"], ["status"], ["show"], ["show", "logic"], ["sql"], ["sql", "1"], ["validate"], ["--help"]])
def test_no_escape_sequence_and_no_trailing_blank_goes_into_a_pipe(verb: list[str], made: Path) -> None:
    ran = gland_alone(made, *verb)
    assert ran.code == 0 and "\x1b" not in ran.out + ran.err
    assert all(line == line.rstrip() for line in ran.out.splitlines())


@pytest.mark.parametrize("query", ["select 1 from range(200_000)", "select repeat('x', 1000) from range(5_000)"])
@pytest.mark.parametrize("format", ["json", "csv", "table"])
def test_a_pipe_that_closes_early_is_no_fault(query: str, format: str, made: Path) -> None:
    line = " ".join(f"'{part}'" if " " in part or "(" in part else part for part in ["sql", "--format", format])
    shell = f'"$@" {line} "$QUERY" | head -n 1'
    started = subprocess.run(
        ["sh", "-c", shell, "sh", *command()], cwd=made, env=environment({"QUERY": query}), capture_output=True, text=True, timeout=60
    )
    assert started.stdout.count("\n") == 1
    assert "Traceback" not in started.stderr and "BrokenPipe" not in started.stderr


def test_a_locale_without_unicode_costs_letters_not_the_command(made: Path) -> None:
    ran = gland_alone(made, "sql", "select 'snøhetta → 山'", env={"PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"})
    assert ran.code == 0 and "sn?hetta" in ran.out


def test_the_places_come_from_options_and_from_the_environment(made: Path, tmp_path: Path) -> None:
    elsewhere = {"GLAND_TAXONOMY": str(made / "taxonomy.toml")}
    assert gland_alone(tmp_path, "plan", "--json", env=elsewhere).json["disciplines"] == ["music"]
    other = elsewhere | {"GLAND_WAREHOUSE": str(tmp_path / "other")}
    assert gland_alone(tmp_path, "plan", "--json", env=other).json["disciplines"] == ["logic", "optics", "music"]
    given = gland_alone(tmp_path, "--warehouse", str(made / "warehouse"), "plan", "--json", env=other)
    assert given.json["disciplines"] == ["music"]


def test_version(tmp_path: Path) -> None:
    assert gland(tmp_path, "--version").out == f"gland {__version__}\n"
