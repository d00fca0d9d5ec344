"""`gland build --retry-failures`: exactly the failed rows are asked again, what that gets stays, and all else stays to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from gland_assets.core.chain import TRIES
from tests.cli.running import gland, gland_alone
from tests.editing import KEY, Seen, arrived, bodies, declare, late, make_base, plan
from tests.server import ModelServer

FAILING = 2  # answers of logic


def build(folder: Path, *arguments: str) -> tuple[int, str]:
    done = gland_alone(folder, "build", "--yes", "--workers", "1", *arguments, env=KEY)
    return done.code, done.out + done.err


def dataset(seen: Seen, slug: str) -> dict[str, tuple[object, ...]]:
    return seen.dataset.get(slug, {})


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory, _running_server: ModelServer) -> list[str]:
    """Logic's questions, as the server always words them for this project."""
    _running_server.reset()
    seen = make_base(tmp_path_factory.mktemp("before") / "project", _running_server).seen
    return sorted(text for slug, _, _, text in seen.questions.values() if slug == "logic")


def failing(texts: list[str], server: ModelServer, folder: Path) -> Path:
    """The project built while two of logic's answers fail for good."""
    for text in texts[:FAILING]:
        server.fail("loop", times=TRIES, match=f'"content": "{text}"')
    code, said = build(declare(folder, server.url))
    assert code == 1 and "2 rows failed" in said, said
    assert server.answered == server.count
    server.reset()
    return folder


def test_just_the_failed_rows_are_asked_again_and_what_that_gets_stays(texts: list[str], server: ModelServer, tmp_path: Path) -> None:
    folder = failing(texts, server, tmp_path / "project")
    was = Seen(folder)
    assert (len(dataset(was, "logic")), len(was.files)) == (12 - FAILING, 27)

    assert "Nothing to do" in build(folder)[1] and server.count == 0, "a plain build asks for nothing"
    assert late(plan(folder)) == {}
    planned = gland_alone(folder, "plan", "--retry-failures", "--json").json
    assert late(planned) == {"logic": {"answers": "stale: 2 failed rows are asked again", "contamination": "waiting"}}
    assert 0 < planned["requests"]["calls"] <= FAILING * TRIES
    assert planned["by_stage"]["answers"]["reused"] == 12 - FAILING + FAILING * TRIES, "they are looked up along the same chain"

    server.fail("loop", times=1, match=f'"content": "{texts[0]}"')  # one of them fails once more, and is asked on
    code, said = build(folder, "--retry-failures")
    assert code == 0, said
    now = Seen(folder)
    assert arrived(server, now) == {("answers", "logic"): FAILING + 1}
    assert len(set(bodies(server))) == FAILING + 1
    assert len(dataset(now, "logic")) == 12
    assert all(dataset(now, slug).items() >= dataset(was, slug).items() for slug in was.dataset), "no other row is touched"
    assert {key for key, held in now.files.items() if was.files[key] != held} == {("logic", "answers"), ("logic", "contamination")}

    server.reset()
    for arguments in ((), ("--retry-failures",)):
        assert "Nothing to do" in build(folder, *arguments)[1]
    taxonomy = folder / "taxonomy.toml"
    taxonomy.write_text(taxonomy.read_text().replace('"Logic"', '{ name = "Logic", pairs = 14 }'))
    code, said = build(folder)
    assert code == 0, said
    later = Seen(folder)
    assert arrived(server, later) == {("questions", "logic"): 2, ("answers", "logic"): 2}, "only the new ones"
    assert dataset(later, "logic").items() >= dataset(now, "logic").items(), "what the retry got is met again along its chain"
    assert gland(folder, "prune", "--responses").out.startswith("Nothing to prune"), "and nothing that leads to it is pruned"


def test_rows_that_fail_for_good_are_tried_one_round_at_a_time(texts: list[str], server: ModelServer, tmp_path: Path) -> None:
    folder = failing(texts, server, tmp_path / "project")
    for text in texts[:FAILING]:
        server.fail("loop", times=1000, match=f'"content": "{text}"')
    for _ in range(2):
        before = server.count
        code, said = build(folder, "--retry-failures", "-d", "logic")
        assert code == 1, said
        assert server.count - before == FAILING * TRIES
    assert len(set(bodies(server))) == server.count, "never the same request twice"
    assert "Nothing to do" in build(folder)[1]


def test_what_follows_from_a_row_that_now_succeeds_is_made(server: ModelServer, tmp_path: Path) -> None:
    folder = declare(tmp_path / "project", server.url)
    server.fail("loop", times=1000, match="Question for [Music] on two sessions")
    assert build(folder)[0] == 1
    was = Seen(folder)
    missing = 12 - len(dataset(was, "music"))
    assert missing >= 1 and len(was.files) == 27
    server.reset()
    found = late(gland_alone(folder, "plan", "--retry-failures", "--json").json)
    rows = "row is" if missing == 1 else "rows are"
    below = dict.fromkeys(("answers", "signatures", "contamination"), "waiting")
    assert found == {"music": {"questions": f"stale: {missing} failed {rows} asked again", **below}}
    assert build(folder, "--retry-failures")[0] == 0
    now = Seen(folder)
    assert arrived(server, now) == {("questions", "music"): missing, ("answers", "music"): missing}
    assert len(dataset(now, "music")) == 12 and dataset(now, "music").items() >= dataset(was, "music").items()
    assert {key for key, held in now.files.items() if was.files[key] != held} == {("music", level) for level in ("questions", *below)}
