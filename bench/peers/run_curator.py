"""Answers questions with curator's LLM class, its cache on as it is by default. It saves each reply: `option` is unused.

Run by bench.peers with curator's own Python: URL FOLDER INPUTS OUT OPTION.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path

# Its OpenAI backend wants tiktoken's table, which would be downloaded; litellm, one of its dependencies, ships it.
[litellm] = importlib.util.find_spec("litellm").submodule_search_locations
os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(litellm, "litellm_core_utils", "tokenizers"))

from bespokelabs import curator  # noqa: E402

PARALLEL = int(os.environ.get("PEERS_PARALLEL", "16"))


class Answerer(curator.LLM):
    """One question, one answer."""

    def prompt(self, row: dict[str, str]) -> str:
        """What the model is told."""
        return row["question"]

    def parse(self, row: dict[str, str], response: str) -> list[dict[str, str]]:
        """The row that a reply makes."""
        return [{"question": row["question"], "answer": response}]


def answer(url: str, folder: Path, inputs: list[dict[str, str]]) -> list[dict[str, str]]:
    """Rows of question and answer; what the tool keeps stands under `folder`."""
    backend = {
        "base_url": url, "api_key": "none", "max_concurrent_requests": PARALLEL,
        "max_requests_per_minute": 100_000, "max_tokens_per_minute": 100_000_000,
    }  # fmt: skip
    model = Answerer(model_name="gpt-4o-mini", backend="openai", backend_params=backend)
    made = model(inputs, working_dir=str(folder / "cache")).dataset
    return [{"question": row["question"], "answer": row["answer"]} for row in made]


if __name__ == "__main__":
    url, folder, inputs, out, _ = sys.argv[1:]
    Path(out).write_text(json.dumps(answer(url, Path(folder), json.loads(Path(inputs).read_text()))))
