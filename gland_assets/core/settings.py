"""A taxonomy and the files it includes, resolved into a Project: slugs, inheritance and references, with every fault found at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gland_assets.core.endpoints import check_language, check_name, check_room, deployments_of, dollars
from gland_assets.core.errors import Fault, SettingsError
from gland_assets.core.hashing import digest
from gland_assets.core.inherit import InForce
from gland_assets.core.nearest import nearest
from gland_assets.core.project import (
    STAGES,
    Automation,
    Budget,
    DecontaminationSet,
    Dedup,
    Deployment,
    Discipline,
    Field,
    Project,
    Settings,
    Subfield,
)
from gland_assets.core.slugs import derive_slug
from gland_assets.core.source import Source
from gland_assets.core.taxonomy import FieldsFile, FieldTable, NodeTable, Overrides, SubfieldTable, TaxonomyFile
from gland_assets.core.toml_lines import KeyPath


def build_project(
    path: Path, root: Source[TaxonomyFile], included: Sequence[Source[FieldsFile]], prompts: Mapping[str, str],
    locate: Callable[[str], Path], faults: Sequence[Fault] = (),
) -> Project:  # fmt: skip
    """The project declared by the taxonomy file `root`, read from the absolute `path`, and the files it includes, in their order.

    `prompts` holds every prompt file's text, overrides applied; `locate` turns a declared path into the one to open. Raises
    SettingsError with all faults: those given, those in the sources, and those found here.
    """
    tree = _Tree(root, included)
    fields = tree.fields()
    content = root.content
    dedup = _dedup(root)
    sets = _decontamination(root, locate)
    found = [*faults, *(fault for source in tree.sources for fault in source.faults)]
    if found:
        raise SettingsError(list(dict.fromkeys(found)))
    budget = content.budget
    return Project(
        name=content.dataset.name or path.parent.name or "dataset",
        language=content.dataset.language,
        seed=content.dataset.seed,
        path=path,
        fields=fields,
        deployments=tree.deployments,
        prompts=prompts,
        dedup=dedup,
        budget=Budget(None if budget.usd is None else dollars(budget.usd), budget.tokens),
        automation=Automation(content.automation.paid),
        decontaminate=sets,
        store_path=None if content.store.path is None else locate(content.store.path),
        taxonomy_hash=_hash(tree.sources),
    )


class _Tree:
    """The walk over all declared nodes: names, slugs, settings. Faults go to the source they stand in."""

    def __init__(self, root: Source[TaxonomyFile], included: Sequence[Source[FieldsFile]]) -> None:
        self.root = root
        self.sources: list[Source[Any]] = [root, *included]
        self.deployments: dict[str, Deployment] = deployments_of(root)
        self.taken: dict[tuple[str, str], str] = {}  # (level, slug) -> where it stands
        self.longest: dict[tuple[str, str], int] = {}
        self.settled: dict[int, tuple[InForce, Settings]] = {}  # by id: disciplines without overrides share their subfield's
        self.subfields = self.disciplines = 0

    def fields(self) -> tuple[Field, ...]:
        top = self.top()
        found: list[Field] = []
        for source in self.sources:
            for place, table in enumerate(source.content.field):
                found.append(self.field(source, ("field", place), table, top, len(found)))
        if not found and not any(source.bad & {(), ("field",)} for source in self.sources):
            self.root.fault(
                ("field",), "no [[field]] is declared", "declare one with a subfield and a discipline, or `include` such a file"
            )
        self.models_everywhere()
        check_room(self.root, self.deployments, self.longest)
        check_language(self.root, self.deployments, (name for name, _ in self.longest))
        return tuple(found)

    def top(self) -> InForce:
        """What is in force above all fields: the defaults, [dataset] seed, then [defaults] with [stage]."""
        content = self.root.content
        self.check_models(self.root, (), Overrides(stage=content.stage))
        self.check_models(self.root, ("defaults",), content.defaults)
        if content.defaults.stage is not None:
            self.twice(content.defaults.stage.model_dump(exclude_none=True))
        top = InForce(seed=content.dataset.seed).under(content.defaults.model_copy(update={"stage": None}))
        return top.under(Overrides(stage=content.stage)).under(Overrides(stage=content.defaults.stage))

    def twice(self, inner: Mapping[str, Mapping[str, Any]]) -> None:
        """Note what [defaults] says of a stage that [stage] says too: both stand at the top, so neither is nearer."""
        outer = self.root.content.stage.model_dump(exclude_none=True)
        for stage, said in inner.items():
            for key in said.keys() & outer.get(stage, {}).keys():
                what = f"`stage.{stage}.{key}` stands in [defaults] and in [stage.{stage}]"
                self.root.fault(("defaults", "stage", stage, key), what, "keep one of them")

    def field(self, source: Source[Any], at: KeyPath, table: FieldTable, above: InForce, position: int) -> Field:
        slug, name = self.identity(source, at, table, "field")
        here = self.in_force(source, at, table, above)
        if not table.subfield:
            source.fault((*at, "subfield"), "has no subfield", "add a [[field.subfield]] with its disciplines, or take the field out")
        below = tuple(self.subfield(source, (*at, "subfield", place), inner, here, slug) for place, inner in enumerate(table.subfield))
        return Field(slug, name, position, table.note, below)

    def subfield(self, source: Source[Any], at: KeyPath, table: SubfieldTable, above: InForce, field: str) -> Subfield:
        slug, name = self.identity(source, at, table, "subfield")
        here = self.in_force(source, at, table, above)
        position, self.subfields = self.subfields, self.subfields + 1
        if not table.disciplines:
            source.fault((*at, "disciplines"), "has no discipline", 'add disciplines = ["…"], or take the subfield out')
        below: list[Discipline] = []
        for place, inner in enumerate(table.disciplines):
            path = (*at, "disciplines", place)
            own, shown = self.identity(source, path, inner, "discipline")
            settings = self.settings(self.in_force(source, path, inner, here))
            below.append(Discipline(
                own, shown, slug, field, self.disciplines, settings, inner.title, tuple(inner.sources), source.lines.of(path),
            ))  # fmt: skip
            self.disciplines += 1
        return Subfield(slug, name, field, position, table.note, tuple(below))

    def identity(self, source: Source[Any], at: KeyPath, table: NodeTable, level: str) -> tuple[str, str]:
        """Slug and name of a node; the slug is unique within its level over all files."""
        name = table.name or ""
        if table.name is None:
            source.fault((*at, "name"), "has no name", 'add name = "…"')
        slug = table.slug or derive_slug(name)
        if not slug and name:
            source.fault(at, "no slug can be derived from its name", 'add slug = "…" of a-z, 0-9 and hyphen')
        if not slug or (*at, "slug") in source.bad:
            return slug, name
        key = (*at, "slug" if table.slug else "name")
        if there := self.taken.get((level, slug)):
            source.fault(key, f"the {level} slug {slug!r} stands already at {there}", "rename one, or give one another slug")
        else:
            self.taken[level, slug] = f"{source.file}:{source.lines.of(key)}"
        return slug, name

    def in_force(self, source: Source[Any], at: KeyPath, node: Overrides, above: InForce) -> InForce:
        self.check_models(source, at, node)
        return above.under(node)

    def check_models(self, source: Source[Any], at: KeyPath, node: Overrides) -> None:
        """Note every name in the node's `models` that is no deployment, or stands twice."""
        lists = [((*at, "models"), node.models)]
        if node.stage is not None:
            lists += [((*at, "stage", stage, "models"), table.models) for stage in STAGES if (table := getattr(node.stage, stage))]
        for path, models in lists:
            for place, name in enumerate(models or ()):
                if name not in self.deployments and not self.root.bad & {(), ("deployment",), ("deployment", name)}:
                    source.fault((*path, place), f"unknown deployment {name!r}", nearest(name, self.deployments, "deployments"))
                elif name in (models or ())[:place]:
                    source.fault((*path, place), f"deployment {name!r} stands twice in `models`", "name each once, in order of preference")

    def settings(self, here: InForce) -> Settings:
        kept = self.settled.get(id(here))
        if kept is None:
            settings = here.settled(self.deployments)
            self.settled[id(here)] = kept = (here, settings)
            for stage, asked in settings.stages.items():
                for name in asked.models:
                    self.longest[name, stage] = max(self.longest.get((name, stage), 0), asked.max_tokens)
        return kept[1]

    def models_everywhere(self) -> None:
        """Note it when several deployments are declared and some discipline has none named for a stage."""
        lacking = {stage for _, settings in self.settled.values() for stage, asked in settings.stages.items() if not asked.models}
        named_badly = any(path[-1:] == ("models",) for source in self.sources for path in source.bad)
        if lacking and not named_badly and len(self.deployments) > 1:
            stages = ", ".join(stage for stage in STAGES if stage in lacking)
            what = f"several deployments are declared and none is named for {stages}"
            shown = ", ".join(f'"{name}"' for name in self.deployments)
            self.root.fault(("defaults",), what, f"set models = [{shown}] here, in order of preference")


def _dedup(root: Source[TaxonomyFile]) -> Dedup:
    said = root.content.dedup
    dedup = Dedup(**said.model_dump(exclude_none=True, exclude={"rate"}))
    if said.rate:
        dedup = replace(dedup, rate=(said.rate[0], said.rate[1]))
    if dedup.bands * dedup.rows > dedup.num_perm:
        what = f"{dedup.bands} bands of {dedup.rows} rows need {dedup.bands * dedup.rows} permutations, and num_perm is {dedup.num_perm}"
        root.fault(("dedup",), what, "raise `num_perm`, or lower `bands` or `rows`")
    return dedup


def _decontamination(root: Source[TaxonomyFile], locate: Callable[[str], Path]) -> tuple[DecontaminationSet, ...]:
    found = []
    for name, table in root.content.decontaminate.items():
        check_name(root, ("decontaminate", name))
        if table.path is None:
            root.fault(("decontaminate", name, "path"), "has no path", 'add path = "…", the file of the benchmark set')
        else:
            found.append(DecontaminationSet(name, str(locate(table.path)), tuple(table.columns)))
    return tuple(found)


def _hash(sources: Sequence[Source[Any]]) -> str:
    """Digest of all that is declared, [automation] aside: comments, order of keys, and which file a field stands in count for nothing."""
    said: dict[str, Any] = sources[0].content.model_dump(
        exclude_unset=True, exclude={"field": True, "dataset": {"include"}, "automation": True}
    )
    fields = [table.model_dump(exclude_unset=True) for source in sources for table in source.content.field]
    return digest("taxonomy", said, fields)
