"""No key in anything: builds that succeed and that fail in every way a provider can, then every byte they left is looked at."""

from __future__ import annotations

import base64
import gzip
import json
import sqlite3
import threading
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import duckdb
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gland_assets.assets.instance import open_instance
from tests.assets.graphql import shown
from tests.canary import Search
from tests.cli.running import Ran, declare, gland_process
from tests.server import ModelServer

# A core before and behind what quoting and escaping change: a key that is blanked in part is found too.
KEY = "sk-Kanarie4711one\"\\/+=%&<'Kanarie4711two"
USER, PASSWORD = "Kanarie4711usr", "Kanarie4711psw%2B"  # as they stand in a URL
HEADER = "Kanarie4711hdr"
SEARCH = Search("Kanarie4711")
ECHOED = f"wrong: {KEY}, {HEADER}, Basic {base64.b64encode(KEY.encode()).decode()}"

FAULTS = {"Tides": "429", "Optics": "500", "Music": "reset", "Botany": "hang", "Law": "garbage", "Ethics": "400"}
HEAD = """[dataset]
name = "secret"
[deployment.keyed]
model = "openai/keyed"
api_base = "{url}"
key_env = "A_VARIABLE"
timeout = 8
[deployment.headed]
model = "openai/headed"
api_base = "{url}"
timeout = 8
extra = {{ extra_headers = {{ X-Api-Key = "{header}" }} }}
[deployment.proxied]
model = "openai/proxied"
api_base = "{proxy}"
key_env = "A_VARIABLE"
timeout = 8
[defaults]
models = ["keyed", "headed"]
pairs = 1
subject_queries = 1
subjects = [2, 2]
sessions = [2, 2]
[[field]]
name = "All"
[[field.subfield]]
name = "Of it"
disciplines = [{disciplines}, {{ name = "Sailing", models = ["proxied"] }}, {{ name = "Weaving", models = ["headed"] }}]
"""


class _Redirects(BaseHTTPRequestHandler):
    """A proxy that sends everybody on, with all that it was told in the address and in the page."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        told = json.dumps(dict(self.headers))
        page = f"<html>moved: {told} {quote(told)}</html>".encode()
        self.send_response(302)
        self.send_header("Location", f"http://{USER}:{PASSWORD}@127.0.0.1:9/login?for={quote(told)}")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def redirecting() -> Iterator[str]:
    """The proxy's address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Redirects) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


@dataclass
class Used:
    """A project that `gland` was run on, and what it printed. Its home and temporary folders stand beside it."""

    root: Path
    said: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)  # command lines of all processes that were seen

    @property
    def folder(self) -> Path:
        return self.root / "project"

    def run(self, *arguments: str) -> Ran:
        """Run a verb, and watch the process list meanwhile."""
        places = {"HOME": str(self.root / "home"), "TMPDIR": str(self.root / "tmp"), "XDG_CACHE_HOME": str(self.root / "home" / "cache")}
        process = gland_process(self.folder, *arguments, env={**places, "A_VARIABLE": KEY})
        watch = threading.Thread(target=self._watch, args=(process.pid,))
        watch.start()
        out, err = process.communicate(timeout=180)
        watch.join()
        self.said[f"{len(self.said)}: gland {' '.join(arguments)}"] = out + err
        return Ran(process.returncode, out, err)

    def _watch(self, pid: int) -> None:
        waiting = threading.Event()
        try:
            parent = psutil.Process(pid)
            while parent.status() != psutil.STATUS_ZOMBIE and not waiting.wait(0.05):
                for each in (parent, *parent.children(recursive=True)):
                    self.lines.append(" ".join(each.cmdline()))
        except psutil.NoSuchProcess:
            pass


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory, _running_server: ModelServer) -> Iterator[Used]:
    """A project after builds against faults of every kind, and after every verb."""
    root = tmp_path_factory.mktemp("used")
    for name in ("home", "tmp"):
        (root / name).mkdir()
    one, server = Used(root), _running_server
    with redirecting() as proxy:
        server.reset()
        disciplines = ", ".join(f'"{name}"' for name in ("Logic", *FAULTS))
        declare(one.folder, "", HEAD.format(url=server.url, proxy=proxy, header=HEADER, disciplines=disciplines))
        failing(one, server)
        building(one, server)
        reading(one)
    server.reset()
    yield one


def failing(one: Used, server: ModelServer) -> None:
    """Keys that are refused with the key in the answer: nothing can be built, and `validate --live` says why."""
    for kind in ("401", "404"):
        server.fail(kind, times=10_000, message=ECHOED)
        for verb in (("validate", "--live"), ("build", "--yes", "-d", "weaving")):
            ran = one.run(*verb)
            assert ran.code == 2 and "wrong: " in ran.err
        server.reset()
    assert one.run("build", "--yes", "-d", "sailing").code in (1, 2)  # the login page is not there, or is no reply


def building(one: Used, server: ModelServer) -> None:
    """What goes wrong once is tried again; what goes wrong for good is a row that failed."""
    for name, kind in FAULTS.items():
        server.fail(kind, times=10_000 if kind == "400" else 1, match=name, message=ECHOED)
    assert one.run("build", "--yes", *(part for name in ("Logic", "Weaving", *FAULTS) for part in ("-d", name.lower()))).code == 1
    served = {entry["fault"] for entry in server.log}
    assert served >= {None, *FAULTS.values()}
    sent = " ".join(str(entry["authorization"]) for entry in server.log)
    assert KEY in sent


def reading(one: Used) -> None:
    """Every verb that reads what stands."""
    [failure] = one.run("sql", "select request_key from failures where discipline = 'ethics' limit 1", "--format", "csv").out.split()[1:]
    for verb in (
        ("plan", "--json"), ("plan",), ("status",), ("status", "--json"), ("show", "-n", "2"), ("show", "logic"), ("why", "ethics"),
        ("why", "logic", "--json"), ("why", failure), ("sql", "select * from failures"), ("sql", "select * from requests"),
        ("sql", "select getenv('A_VARIABLE')"),
        ("validate", "--live"), ("publish",), ("export", "--format", "messages", "out"), ("export", "--format", "parquet", "files"),
        ("prune", "--responses"),
    ):  # fmt: skip
        one.run(*verb)


def test_no_file_holds_a_key(used: Used) -> None:
    declared = (used.folder / "taxonomy.toml").read_text()
    assert SEARCH.holds(declared)  # the user's own file, in which the header stands
    (used.folder / "taxonomy.toml").write_text("")
    try:
        kinds = {path.suffix for path in used.folder.rglob("*")}
        assert kinds >= {".parquet", ".sqlite", ".duckdb", ".db", ".jsonl", ".md"}, kinds
        assert SEARCH.places(used.root) == []
    finally:
        (used.folder / "taxonomy.toml").write_text(declared)


def test_no_command_prints_a_key(used: Used) -> None:
    assert [what for what, said in used.said.items() if SEARCH.holds(said)] == []


def test_no_process_has_a_key_on_its_command_line(used: Used) -> None:
    assert any("gland_assets.cli" in line for line in used.lines) and any("multiprocessing" in line for line in used.lines)
    assert [line for line in used.lines if SEARCH.holds(line)] == []


RUNS = """{ runsOrError { ... on Runs { results { runId runConfigYaml tags { key value } eventConnection(limit: 1000) { events {
  __typename
  ... on MessageEvent { message }
  ... on ExecutionStepFailureEvent { error { message stack } }
  ... on MaterializationEvent { metadataEntries {
    label description ... on TextMetadataEntry { text } ... on JsonMetadataEntry { jsonString } ... on MarkdownMetadataEntry { mdStr } } }
} } } } } }"""


def test_dagsters_interface_is_told_no_key(used: Used) -> None:
    with open_instance(used.folder / "warehouse") as instance, shown(used.folder, instance) as dagster:
        told = json.dumps(dagster.ask(RUNS))
    assert "ethics" in told and "MaterializationEvent" in told
    assert not SEARCH.holds(told)


@pytest.mark.parametrize(
    "line",
    [
        f'key_env = "sk-{HEADER}"',
        f'api_key = "{HEADER}"',
        f'extra = {{ api_key = "{HEADER}" }}',
        f'extra = {{ Authorization = "Bearer {HEADER}" }}',
        f'api_base = "ftp://{USER}:{PASSWORD}@host"',
        f'api_base = ["http://{USER}:{PASSWORD}@host"]',
        f'api_base = "https://host/v1?api-key={HEADER}"',
    ],
)
def test_a_key_in_the_wrong_place_is_refused_without_being_shown(tmp_path: Path, line: str) -> None:
    one = Used(tmp_path)
    declare(one.folder, '[[field]]\nname = "A"\n', f'[dataset]\nname = "secret"\n[deployment.keyed]\nmodel = "openai/keyed"\n{line}\n')
    ran = one.run("validate")
    assert ran.code == 2 and "taxonomy.toml:5" in ran.err, ran.err
    assert not SEARCH.holds(ran.out + ran.err)


def test_the_search_finds_what_is_planted(tmp_path: Path) -> None:
    core = b"Kanarie4711one"
    letters = "".join(f"%{each:02x}" for each in core)
    pair = base64.urlsafe_b64encode(f"{USER}:{PASSWORD}".encode())
    plain = {
        "plain": core, "json": json.dumps({"key": KEY}).encode(), "quoted": quote(KEY).encode(), "each-letter-quoted": letters.encode(),
        "base64": base64.b64encode(b"Bearer " + core + b"!"), "base64-of-a-pair": pair, "hex": core.hex().upper().encode(),
        "utf-16": core.decode().encode("utf-16"), "gzip": gzip.compress(core), "zlib": zlib.compress(core),
        "zstd": bytes(pa.Codec("zstd").compress(core, asbytes=True)), "twice": gzip.compress(zlib.compress(core)),
    }  # fmt: skip
    for name, content in plain.items():
        (tmp_path / name).write_bytes(content)
    pq.write_table(pa.table({"nested": [[{"text": core.decode()}]]}), tmp_path / "column.parquet", compression="zstd")
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata({"recipe": core}), tmp_path / "metadata.parquet")
    with closing(sqlite3.connect(tmp_path / "rows.sqlite")) as connection:
        connection.execute("create table runs(body)")
        connection.execute("insert into runs values (?)", (zlib.compress(core),))
        connection.commit()
    with duckdb.connect(str(tmp_path / "tables.duckdb")) as connected:
        connected.execute("create table answers as select repeat('x', 10000) || ? as text", [core.decode()])
    (tmp_path / f"named-{core.decode()}").touch()
    (tmp_path / "innocent").write_text("Kanarie 4711, sk-Kanari")
    found = {place.partition(":")[0] for place in SEARCH.places(tmp_path)}
    assert found == {*plain, "column.parquet", "metadata.parquet", "rows.sqlite", "tables.duckdb", f"name of named-{core.decode()}"}
