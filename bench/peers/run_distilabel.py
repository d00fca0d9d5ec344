"""Answers questions with distilabel: one TextGeneration step; `option` is its input_batch_size, and below 0 the default cache is off.

Run by bench.peers with distilabel's own Python: URL FOLDER INPUTS OUT OPTION.
"""

import json
import sys
from pathlib import Path

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration


def answer(url: str, folder: Path, inputs: list[dict[str, str]], option: int) -> list[dict[str, str]]:
    """Rows of question and answer; what the tool keeps stands under `folder`."""
    with Pipeline(name="answers", cache_dir=folder / "cache") as pipeline:
        load = LoadDataFromDicts(data=[{"id": one["id"], "instruction": one["question"]} for one in inputs])
        task = TextGeneration(llm=OpenAILLM(model="m", base_url=url, api_key="none"), input_batch_size=abs(option))
        load >> task
    made = pipeline.run(use_cache=option > 0)["default"]["train"]
    return [{"question": row["instruction"], "answer": row["generation"]} for row in made]


if __name__ == "__main__":
    url, folder, inputs, out, option = sys.argv[1:]
    Path(out).write_text(json.dumps(answer(url, Path(folder), json.loads(Path(inputs).read_text()), int(option))))
