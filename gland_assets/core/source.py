"""One taxonomy file as read: its content in shape, where each thing stands in it, and what is wrong with it so far."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from gland_assets.core.errors import Fault
from gland_assets.core.slugs import derive_slug
from gland_assets.core.taxonomy import FieldsFile
from gland_assets.core.toml_lines import KeyPath, Lines, find_lines
from gland_assets.core.wording import say

Shape = TypeVar("Shape", bound=FieldsFile)
_TREE = ("field", "subfield", "disciplines")
_OWN = {("decontaminate", "folder"), ("decontaminate", "sets")}
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(slots=True)
class Source(Generic[Shape]):
    """A file of shape `Shape`. What was out of shape is left out of `content`, and stands in `bad`, so that the rest can be checked too."""

    file: str  # as faults name it
    content: Shape
    raw: dict[str, Any] = field(default_factory=dict)
    lines: Lines = field(default_factory=Lines)
    bad: set[KeyPath] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, path: KeyPath, what: str, fix: str) -> None:
        """Note that something is wrong at `path`, unless that very place, or one above it, is already known to be."""
        if not any(path[:length] in self.bad for length in range(len(path) + 1)):
            self.faults.append(Fault(self.file, self.lines.of(path), node_at(self.raw, path), what, fix))


def unread_source(file: str, shape: type[Shape], line: int, what: str, fix: str) -> Source[Shape]:
    """A file that could not be read at all: one fault, and nothing more to be found in it."""
    return Source(file, shape(), bad={()}, faults=[Fault(file, line, "the file", what, fix)])


def read_source(file: str, text: str, shape: type[Shape]) -> Source[Shape]:
    """The TOML `text` checked against `shape`. Never raises: faults stand in the source."""
    try:
        raw = tomllib.loads(text)
        lines = find_lines(text)
    except RecursionError:
        return unread_source(file, shape, 0, "its lists or tables are nested too deeply", "nest them less")
    except ValueError as error:
        return _not_toml(file, text, shape, str(error))
    source = Source(file, shape(), raw, lines)
    # Each round takes out what is out of shape; two do, the bound is only a promise that it ends.
    for _ in range(9):
        try:
            source.content = shape.model_validate(raw)
            break
        except ValidationError as error:
            found = error.errors(include_url=False)
            for one in found:
                source.fault(one["loc"], *say(one, shape))
            for one in found:
                source.bad.add(_take_out(raw, one["loc"]))
    return source


def _not_toml(file: str, text: str, shape: type[Shape], message: str) -> Source[Shape]:
    place = _PLACE.search(message)
    line = 0
    if place:
        line = int(place[1]) if place[1] else text.count("\n") + (not text.endswith("\n"))
    return unread_source(file, shape, line, f"not TOML: {_PLACE.sub('', message)}", "mend the syntax here or just above")


def _take_out(raw: dict[str, Any], path: KeyPath) -> KeyPath:
    """Take the value at `path` out of `raw`, places of other nodes unmoved; the path that now counts as known to be bad."""
    above: Any = raw
    trail: list[Any] = [raw]
    for length, part in enumerate(path[:-1], start=1):
        if not _has(above, part):
            return path[:length]  # taken out already, for another of its faults
        above = above[part]
        if not isinstance(above, dict | list):
            # A short form (a name for a table, one URL for a list) stands where the shape goes deeper.
            return _take_out(raw, path[:length])
        trail.append(above)
    last = path[-1]
    if isinstance(last, str):
        above.pop(last, None)
        return path
    if path[-2] in _TREE:
        above[last] = {}
        return path
    trail[-2].pop(path[-2], None)
    return path[:-1]


def node_at(raw: dict[str, Any], path: KeyPath) -> str:
    """What a user calls the thing at `path`: the nearest node of the tree, a deployment, or a table."""
    label = "the file" if not path else f"[{path[0]}]"
    if path and path[0] in {"deployment", "decontaminate"} and len(path) > 1 and path[:2] not in _OWN:
        return f"{path[0]} {str(path[1])!r}"
    if path and path[0] == "stage" and len(path) > 1:
        return f"[stage.{path[1]}]"
    at: Any = raw
    for place, part in enumerate(path):
        at = at[part] if _has(at, part) else None
        if isinstance(part, int) and path[place - 1] in _TREE:
            label = f"{str(path[place - 1]).removesuffix('s')} {_called(at, part)}"
    return label


def _has(at: object, part: str | int) -> bool:
    return part in at if isinstance(at, dict) else isinstance(at, list) and isinstance(part, int) and part < len(at)


def _called(node: object, place: int) -> str:
    name = node if isinstance(node, str) else node.get("name") if isinstance(node, dict) else None
    slug = node.get("slug") if isinstance(node, dict) else None
    given = slug or (isinstance(name, str) and (derive_slug(name) or name))
    return repr(given) if given and isinstance(given, str) else f"number {place + 1}"
