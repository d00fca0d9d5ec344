"""`gland why`: why a discipline is out of date, where a row comes from, and what became of a request."""

from __future__ import annotations

import json
import re
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gland_assets.cli import estimates, explaining, found
from gland_assets.cli.places import Places, places
from gland_assets.core.errors import GlandError
from gland_assets.core.levels import PARTITIONED
from gland_assets.core.nearest import nearest

if TYPE_CHECKING:
    from gland_assets.core.plan import Metas, Plan
    from gland_assets.core.project import Project
    from gland_assets.io.store import ResponseStore

KEY = re.compile(r"[0-9a-f]{8,32}")
"""What may be the beginning of a request's key."""


def why(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="SLUG|ID|REQUEST", help="A discipline, a row's id, or a request's key, or its beginning.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Explain why a discipline is made again, where a row comes from, or why a request is not in the response store."""
    from gland_assets.core.plan import make_plan
    from gland_assets.io.partitions import Partitions

    here = places(context)
    project = here.project()
    metas = Partitions(here.warehouse).metas()
    asked = _Asked(here, project, metas, make_plan(project, metas))
    if what in project.index() or any(slug == what and asset in PARTITIONED for asset, slug in metas):
        said = asked.discipline(what)
    else:
        said = asked.by_id(what.lower())
    if as_json:
        print(json.dumps(said, ensure_ascii=False, indent=1, default=str))
    else:
        explaining.show(project, said)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a question is answered from. Each answer is a plain object, as `--json` prints it."""

    here: Places
    project: Project
    metas: Metas
    plan: Plan

    def discipline(self, slug: str) -> dict[str, Any]:
        """The state of each level of a discipline, and what it will ask for."""
        from gland_assets.core.plan import make_plan
        from gland_assets.io.reasons import missing

        levels = [self.partition(part.asset, slug) for part in self.plan.partitions if part.discipline == slug]
        answer: dict[str, Any] = {"kind": "discipline", "discipline": slug, "levels": levels, "missing": [], "requests": None, "basis": ""}
        if slug in self.project.index():
            groups, estimate = missing(self.project, self.here.warehouse, make_plan(self.project, self.metas, [slug]))
            answer["missing"] = [asdict(group) for group in groups]
            answer |= {"requests": estimates.as_json(estimate.all), "basis": estimate.basis}
        return answer

    def partition(self, asset: str, slug: str) -> dict[str, Any]:
        """What a partition is now, and when and by which build it was made."""
        part, meta = self.plan.of(slug)[asset], self.metas.get((asset, slug))
        made = {
            "rows": meta and meta.rows, "failed": meta and meta.failed, "calls": meta and meta.calls, "reused": meta and meta.reused,
            "built_at": meta and meta.written_at and meta.written_at.isoformat(), "build_id": meta and meta.build_id,
        }  # fmt: skip
        return {"asset": asset, "state": part.state, "because": list(part.because), **made}

    def by_id(self, prefix: str) -> dict[str, Any]:
        """The one row or request whose id begins with `prefix`. Raises GlandError when there is none, or several."""
        if not found.PREFIX.fullmatch(prefix):
            slugs = nearest(prefix, self.project.index(), "it has")
            raise GlandError(f"the taxonomy has no discipline {prefix!r}; {slugs}\nids of rows and keys of requests are of hex digits")
        from gland_assets.cli.sql import connect

        with closing(connect(self.project, self.here)) as connection:
            rows = found.candidates(connection, prefix)
            naming = found.rows(connection, "named", prefix) if KEY.fullmatch(prefix) else []
            keys = self._keys(prefix, naming) if KEY.fullmatch(prefix) else []
            if len(rows) + len(keys) > 1:
                listed = [f"  {row.id}  {row.kind} in {row.discipline}" for row in rows] + [f"  {key}  request" for key in keys]
                raise GlandError(f"several ids begin with {prefix}; give more of it:\n" + "\n".join(listed))
            if rows:
                return self._row(rows[0], found.rows(connection, "made_by", rows[0].id))
        return self.request(keys[0] if keys else prefix, naming)

    def _keys(self, prefix: str, naming: list[found.Row]) -> list[str]:
        """The keys that begin so, among rows, ledger and response store."""
        from gland_assets.io.stored import paid, stored

        with closing(self._store()) as store:
            kept = [each.reply.request_key for each in stored(store, prefix)]
        ledger = [each.request_key for each in paid(self.here.warehouse, prefix)]
        return sorted({*kept, *ledger, *(row["request_key"] for row in naming)})

    def _row(self, row: found.Found, made_by: list[found.Row]) -> dict[str, Any]:
        source = made_by[0]
        partition = {"discipline": row.discipline, **self.partition(source["asset"], row.discipline)}
        request = self.request(source["request_key"], made_by) if source["request_key"] else None
        return {"kind": row.kind, "id": row.id, "discipline": row.discipline, "failed": source["cause"], "partition": partition,
                "request": request}  # fmt: skip

    def request(self, prefix: str, naming: list[found.Row]) -> dict[str, Any]:
        """What became of a request, which the rows in `naming` name as theirs. Raises GlandError when nothing knows it."""
        from gland_assets.io.reasons import still_asked
        from gland_assets.io.stored import paid, stored

        with closing(self._store()) as store:
            kept = next(iter(stored(store, prefix)), None)
        ledger = next(iter(paid(self.here.warehouse, prefix)), None)  # the one that is not pruned, if any
        answer: dict[str, Any] = {
            "kind": "request", "request_key": prefix, "stored": kept is not None, "pruned": bool(ledger and ledger.pruned),
            "rows": [{name: row[name] for name in ("asset", "discipline", "row_id")} for row in naming],
            "paid": _paid(ledger or kept.reply, ledger.accepted if ledger else None) if kept else ledger and _paid(ledger, ledger.accepted),
        }  # fmt: skip
        if kept:
            fresh = any(self.plan.of(row["discipline"])[row["asset"]].state == "fresh" for row in naming)
            parts = kept.parts
            return answer | {
                "request_key": kept.reply.request_key, "stage": kept.stage, "discipline": kept.discipline,
                "row": parts and parts.row, "turn": parts and len(parts.turns) // 2 + 1,
                "asked": fresh or still_asked(self.project, self.here.warehouse, self.plan, kept),
            }  # fmt: skip
        known = naming[0] if naming else ledger and {"asset": ledger.stage, "discipline": ledger.discipline, "row_id": None}
        if planned := self._planned(prefix, known["discipline"] if known else None):
            return answer | planned
        if not known:
            raise GlandError(self._nothing(prefix))
        where = {"stage": known["asset"], "discipline": known["discipline"], "row": known["row_id"], "turn": None}
        return answer | where | {"asked": False}

    def _planned(self, prefix: str, slug: str | None) -> dict[str, Any] | None:
        """The request that the next build will send under this key, and why it is not in the store; `slug`: its discipline, if known."""
        from gland_assets.core.plan import make_plan
        from gland_assets.io.reasons import because, planned

        if not KEY.fullmatch(prefix):
            return None
        plan = make_plan(self.project, self.metas, [slug]) if slug and slug in self.project.index() else self.plan
        late = planned(self.project, self.here.warehouse, plan, prefix)
        if len(late) > 1:
            listed = "\n".join(f"  {miss.key}  {miss.request.stage} in {miss.request.discipline}" for miss, _ in late)
            raise GlandError(
                f"several requests that the next build will make have keys that begin with {prefix}; give more of it:\n{listed}"
            )
        for miss, near in late:
            asked = miss.request
            return {
                "request_key": miss.key, "stage": asked.stage, "discipline": asked.discipline, "row": asked.row,
                "turn": len(asked.messages) // 2 + 1, "asked": True, "because": because(miss, near), "nearest": asdict(near),
            }  # fmt: skip
        return None

    def _nothing(self, prefix: str) -> str:
        from gland_assets.io.store import store_path

        store = store_path(self.project, self.here.warehouse)
        what = "subject, syllabus, session, key concept, question, answer or failed row"
        said = f"nothing has an id or a key that begins with {prefix}: no {what} in {self.here.warehouse}, "
        if KEY.fullmatch(prefix):
            return said + f"no reply in {store}, no paid request in the ledger, and no request that the next build will make"
        return said + "and requests are looked for by 8 digits of their key or more"

    def _store(self) -> ResponseStore:
        from gland_assets.io.store import ResponseStore, store_path

        return ResponseStore(store_path(self.project, self.here.warehouse))


def _paid(source: Any, accepted: bool | None) -> dict[str, Any]:
    """By whom a reply was given, when and by which build it was paid, and for how much."""
    names = ("build_id", "deployment", "model", "prompt_tokens", "completion_tokens")
    plain = {name: getattr(source, name) for name in names}
    return plain | {"sent_at": source.sent_at.isoformat(), "usd": estimates.number(source.usd), "accepted": accepted}
