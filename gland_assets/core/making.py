"""What every generated level needs to ask for its rows: the discipline in force, the seam to the model, and who is building."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gland_assets.core.project import Deployment, Discipline, Project
from gland_assets.core.prompts import prompt_hash, render
from gland_assets.core.records import Failure
from gland_assets.core.requests import Ask, Message, Request, RequestFailed


def utc_now() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Making:
    """One discipline being made."""

    project: Project
    discipline: Discipline
    ask: Ask
    build_id: str
    now: Callable[[], datetime] = utc_now

    def preferred(self, stage: str) -> Deployment:
        """The deployment whose identity goes into the request keys of `stage`."""
        return self.project.preferred(self.discipline, stage)

    def turn(self, prompt: str, **slots: str) -> Message:
        """A user's turn: the prompt file `prompt`, with `discipline` and `language` and the given slots filled in."""
        text = self.project.prompts[prompt]
        return Message("user", render(prompt, text, discipline=self.discipline.name, language=self.project.language, **slots))

    def request(
        self, stage: str, row: str, prompt: str, messages: tuple[Message, ...], seed: int,
        sample: int = 0, schema: Mapping[str, Any] | None = None,
    ) -> Request:  # fmt: skip
        """A request of `stage` for the row named `row`, last turn from the prompt file `prompt`."""
        return Request(
            stage, self.discipline.slug, row, messages, prompt_hash(self.project.prompts[prompt]),
            self.discipline.settings.stages[stage], seed, sample, schema,
        )  # fmt: skip

    def failure(self, error: RequestFailed) -> Failure:
        """The failure row of a request that gave nothing usable."""
        return Failure.of(error, self.build_id, self.now())
