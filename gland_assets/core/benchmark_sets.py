"""The benchmark sets of `[decontaminate]`: those known by name in one folder, and those declared by path and columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gland_assets.core.benchmarks import KNOWN
from gland_assets.core.endpoints import check_name
from gland_assets.core.nearest import nearest
from gland_assets.core.project import RULES, DecontaminationSet, Rule
from gland_assets.core.source import Source
from gland_assets.core.taxonomy import BenchmarkTable, TaxonomyFile

AT = "decontaminate"


def benchmark_sets(root: Source[TaxonomyFile], locate: Callable[[str], Path]) -> tuple[DecontaminationSet, ...]:
    """The declared sets, those of `sets` first, without the hash of their files. Faults go to the source."""
    declared = root.content.decontaminate
    tables: dict[str, BenchmarkTable] = {}
    for place, name in enumerate(declared.sets):
        if name not in KNOWN:
            fix = f"{nearest(name, KNOWN, 'known are')}, or declare [decontaminate.{name}] with its path and columns"
            root.fault((AT, "sets", place), f"no set named {name!r} is known", fix)
        tables[name] = BenchmarkTable()
    tables |= declared.__pydantic_extra__
    if declared.sets and declared.folder is None:
        root.fault((AT, "sets"), "`sets` has no folder to look in", 'add folder = "…", where their files are')
    folder = None if declared.folder is None else locate(declared.folder)
    found = (_declared(root, name, table, folder, locate) for name, table in tables.items())
    return tuple(each for each in found if each is not None)


def _declared(
    root: Source[TaxonomyFile], name: str, table: BenchmarkTable, folder: Path | None, locate: Callable[[str], Path]
) -> DecontaminationSet | None:
    at = (AT, name)
    check_name(root, at)
    columns = tuple(table.columns or ())
    known = name in KNOWN and not columns
    path = folder if table.path is None else locate(table.path)
    if path is None or not (known or table.path):
        if name not in root.content.decontaminate.sets:
            root.fault((*at, "path"), "has no path", 'add path = "…", the file or folder of the benchmark set')
        return None
    if not columns and not known:
        root.fault((*at, "columns"), "has no columns", 'add columns = ["…"], those whose text makes an item')
    if known and table.split is not None:
        root.fault((*at, "split"), "its test split is read", "leave `split` out, or give `path` and `columns` of another split too")
    if any(column.count("[]") > 1 for column in columns) or len({column.split("[]")[0] for column in columns if "[]" in column}) > 1:
        root.fault((*at, "columns"), "`[]` stands for more than one list", "keep one list whose parts are the items")
    rules = RULES if table.rules is None else tuple(Rule(rule.ngram, rule.share) for rule in table.rules)
    return DecontaminationSet(name, str(path), known, columns, table.id, table.split, tuple(sorted(rules, key=lambda rule: -rule.ngram)))
