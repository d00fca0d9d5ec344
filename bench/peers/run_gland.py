"""Makes pairs with `gland build`: one discipline an input, `option` pairs each, so that 300 rows come out.

Run by bench.peers with this project's Python: URL FOLDER INPUTS OUT OPTION. An input's text is its discipline's name, its id the slug; its
`temperature`, if it has one, is set for that discipline's answers alone.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb

PARALLEL = int(os.environ.get("PEERS_PARALLEL", "16"))
HEAD = """[dataset]
name = "peers"
[deployment.local]
model = "openai/m"
api_base = "{url}"
max_parallel_requests = {parallel}
[defaults]
pairs = {pairs}
subject_queries = 1
subjects = [{subjects}, {subjects}]
sessions = [2, 2]
[[field]]
name = "All"
  [[field.subfield]]
  name = "All"
  disciplines = [
{disciplines}
  ]
"""
ROWS = "select d.name as question, r.answer from dataset r join disciplines d using (discipline)"


def declared(one: dict[str, str]) -> str:
    """One discipline of the taxonomy file."""
    warmer = f", stage.answers.temperature = {one['temperature']}" if "temperature" in one else ""
    return f'    {{ slug = "{one["id"]}", name = "{one["question"]}"{warmer} }},'


def answer(url: str, folder: Path, inputs: list[dict[str, str]], pairs: int) -> list[dict[str, str]]:
    """Rows of the discipline's name and an answer; what the tool keeps stands under `folder`."""
    disciplines = "\n".join(declared(one) for one in inputs[: len(inputs) // pairs])
    taxonomy = HEAD.format(url=url, parallel=PARALLEL, pairs=pairs, subjects=min(10, pairs), disciplines=disciplines)
    (folder / "taxonomy.toml").write_text(taxonomy)
    subprocess.run(
        [sys.executable, "-c", "from gland_assets.cli import main; main()", "build", "--yes", "--workers", "2"], cwd=folder, check=True
    )
    with duckdb.connect(str(folder / "warehouse" / "gland.duckdb"), read_only=True) as connection:
        return [dict(zip(("question", "answer"), row, strict=True)) for row in connection.execute(ROWS).fetchall()]


if __name__ == "__main__":
    url, folder, inputs, out, option = sys.argv[1:]
    Path(out).write_text(json.dumps(answer(url, Path(folder), json.loads(Path(inputs).read_text()), int(option))))
