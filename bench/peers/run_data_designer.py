"""Answers questions with data-designer: a seed file and one LLM text column, resume=IF_POSSIBLE; `option` is the run's buffer_size.

Run by bench.peers with data-designer's own Python: URL FOLDER INPUTS OUT OPTION.
"""

import json
import os
import sys
from pathlib import Path

import data_designer.config as dd
import pandas as pd
from data_designer.interface import DataDesigner, ResumeMode

PARALLEL = int(os.environ.get("PEERS_PARALLEL", "16"))


def answer(url: str, folder: Path, inputs: list[dict[str, str]], option: int) -> list[dict[str, str]]:
    """Rows of question and answer; what the tool keeps stands under `folder`."""
    seeds = folder / "seeds.parquet"
    limits = dd.ChatCompletionInferenceParams(max_parallel_requests=PARALLEL)
    config = dd.DataDesignerConfigBuilder([dd.ModelConfig(alias="model", model="m", provider="local", inference_parameters=limits)])
    config.with_seed_dataset(dd.LocalFileSeedSource.from_dataframe(pd.DataFrame(inputs), str(seeds)))
    config.add_column(dd.LLMTextColumnConfig(name="answer", model_alias="model", prompt="{{ question }}"))
    provider = dd.ModelProvider(name="local", endpoint=url, provider_type="openai", api_key="none")
    designer = DataDesigner(artifact_path=folder / "artifacts", model_providers=[provider])
    designer.set_run_config(dd.RunConfig(buffer_size=option, otel_metrics_port=None))
    done = designer.create(config, num_records=len(inputs), dataset_name="answers", resume=ResumeMode.IF_POSSIBLE)
    return [{"question": row["question"], "answer": row["answer"]} for row in done.load_dataset().to_dict("records")]


if __name__ == "__main__":
    url, folder, inputs, out, option = sys.argv[1:]
    Path(out).write_text(json.dumps(answer(url, Path(folder), json.loads(Path(inputs).read_text()), int(option))))
