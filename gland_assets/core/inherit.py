"""Inheritance: the settings in force at a node, from its own overrides and those of the nodes above. The nearest wins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gland_assets.core.project import STAGES, Deployment, Settings, StageSettings
from gland_assets.core.taxonomy import Overrides, StagesTable

TEMPERATURE = {"subjects": 1.0, "syllabi": 1.0, "questions": 1.0, "answers": 0.7}
TOP_P = 0.95
MAX_TOKENS = {"subjects": 2048, "syllabi": 4096, "questions": 1024, "answers": 2048}
LOCAL_MAX_TOKENS = {"subjects": 400, "syllabi": 500, "questions": 160, "answers": 300}
"""Replies of the demonstration model: prompt and reply share its 2048 tokens of context."""


@dataclass(frozen=True, slots=True)
class StageInForce:
    """What is set for one stage so far; None where no node has said anything."""

    models: tuple[str, ...] | None
    temperature: float
    top_p: float = TOP_P
    max_tokens: int | None = None


def _stages() -> dict[str, StageInForce]:
    return {stage: StageInForce(None, TEMPERATURE[stage]) for stage in STAGES}


@dataclass(frozen=True, slots=True)
class InForce:
    """What is in force at one node. Without arguments: the defaults, above every node."""

    seed: int = 0
    pairs: int = 100
    subject_queries: int = 10
    subjects: tuple[int, int] = (10, 30)
    sessions: tuple[int, int] = (10, 30)
    stages: Mapping[str, StageInForce] = field(default_factory=_stages)

    def under(self, node: Overrides) -> InForce:
        """What is in force at `node`, standing right below: its `models` beat all models above, its `stage.X.models` beat its `models`."""
        said = node.model_fields_set & {"seed", "pairs", "subject_queries", "subjects", "sessions", "models", "stage"}
        if not said:
            return self
        return InForce(
            seed=self.seed if node.seed is None else node.seed,
            pairs=self.pairs if node.pairs is None else node.pairs,
            subject_queries=self.subject_queries if node.subject_queries is None else node.subject_queries,
            subjects=(node.subjects[0], node.subjects[1]) if node.subjects else self.subjects,
            sessions=(node.sessions[0], node.sessions[1]) if node.sessions else self.sessions,
            stages=self._stages_under(node.models, node.stage or StagesTable()) if said & {"models", "stage"} else self.stages,
        )

    def _stages_under(self, models: list[str] | None, tables: StagesTable) -> dict[str, StageInForce]:
        found: dict[str, StageInForce] = {}
        for stage, above in self.stages.items():
            own = getattr(tables, stage)
            found[stage] = replace(above, models=tuple(models)) if models else above
            if own is not None:
                said = own.model_dump(exclude_none=True)
                found[stage] = replace(found[stage], **said | ({"models": tuple(own.models)} if own.models else {}))
        return found

    def settled(self, deployments: Mapping[str, Deployment]) -> Settings:
        """The settings of a discipline. A stage without models gets those of the one deployment there is, and none if there are several."""
        only = tuple(deployments) if len(deployments) == 1 else ()
        stages = {}
        for stage, asked in self.stages.items():
            models = asked.models or only
            local = bool(models) and models[0] in deployments and deployments[models[0]].local
            most = asked.max_tokens or (LOCAL_MAX_TOKENS if local else MAX_TOKENS)[stage]
            stages[stage] = StageSettings(models, asked.temperature, asked.top_p, most)
        return Settings(self.pairs, self.seed, self.subject_queries, self.subjects, self.sessions, stages)
