"""Answers questions with sdg-hub: a flow of prompt, chat and extraction with a checkpoint_dir; `option` is save_freq.

Run by bench.peers with sdg-hub's own Python: URL FOLDER INPUTS OUT OPTION.
"""

import json
import os
import sys
from pathlib import Path

import pandas as pd
from sdg_hub import Flow

PARALLEL = int(os.environ.get("PEERS_PARALLEL", "16"))
FLOW = """
metadata: {name: answers, description: answers questions, version: 1.0.0, author: bench, id: plain-answer-300}
blocks:
  - block_type: PromptBuilderBlock
    block_config: {block_name: ask, input_cols: [question], output_cols: messages, prompt_config_path: prompt.yaml}
  - block_type: LLMChatBlock
    block_config: {block_name: chat, input_cols: messages, output_cols: reply, async_mode: true}
  - block_type: LLMResponseExtractorBlock
    block_config: {block_name: take, input_cols: reply, extract_content: true}
"""
PROMPT = """
- role: user
  content: "{{question}}"
"""


def answer(url: str, folder: Path, inputs: list[dict[str, str]], option: int) -> list[dict[str, str]]:
    """Rows of question and answer; what the tool keeps stands under `folder`."""
    (folder / "flow.yaml").write_text(FLOW)
    (folder / "prompt.yaml").write_text(PROMPT)
    flow = Flow.from_yaml(str(folder / "flow.yaml"))
    flow.set_model_config(model="openai/m", api_base=url, api_key="none")
    made = flow.generate(pd.DataFrame(inputs), checkpoint_dir=str(folder / "checkpoints"), save_freq=option, max_concurrency=PARALLEL)
    return [{"question": row["question"], "answer": row["take_content"]} for row in made.to_dict("records")]


if __name__ == "__main__":
    url, folder, inputs, out, option = sys.argv[1:]
    Path(out).write_text(json.dumps(answer(url, Path(folder), json.loads(Path(inputs).read_text()), int(option))))
