"""What the checks of the taxonomy's shape found, in words a user can act on. Values of text are never repeated: one may be a key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from gland_assets.core.nearest import nearest
from gland_assets.core.taxonomy import FieldsFile, StagesTable, TaxonomyFile
from gland_assets.core.toml_lines import KeyPath

_KINDS = {str: "a text", bool: "true or false", int: "a whole number", float: "a number", list: "a list", dict: "a table"}
_WANTED = {
    "string_type": ("a text", "put the value in quotes"),
    "int_type": ("a whole number", "give a whole number"),
    "float_type": ("a number", "give a number"),
    "bool_type": ("true or false", "write true or false, without quotes"),
    "list_type": ("a list", "write it as [ … ]"),
    "dict_type": ("a table", "write it as a table of keys"),
    "model_type": ("a table", "write it as a table of keys"),
}
_PATTERNS = {
    "slug": ("is not a slug", "use 1 to 80 of a-z, 0-9 and hyphen"),
    "key_env": ("is not the name of an environment variable", "name the variable that holds the key; the key itself is never stored"),
    "api_base": ("is not a URL", "start it with http:// or https://"),
    "language": ("is not a language code", 'give an ISO 639-1 code such as "en"'),
}


def say(error: Mapping[str, Any], model: type[BaseModel]) -> tuple[str, str]:
    """One of pydantic's errors on a document of shape `model`, as what is wrong and how to mend it."""
    kind, path, context = error["type"], error["loc"], error.get("ctx", {})
    key = next((str(part) for part in reversed(path) if isinstance(part, str)), "")
    if kind == "extra_forbidden":
        return _unknown(path, model)
    if kind in _WANTED:
        wanted, fix = _WANTED[kind]
        if path in {("field",), ("deployment",)} or path[-1] == "subfield":
            fix = {"field": "write [[field]]", "subfield": "write [[field.subfield]]"}.get(key, f"write [{key}.NAME]")
        if key == "disciplines" and path[-1] != key:
            wanted, fix = "a name or a table", 'write "Name" or { name = "…" }'
        verb = "is" if path[-1] == key else "holds"
        return f"`{key}` {verb} {_kind(error['input'])}, not {wanted}", fix
    if kind == "string_pattern_mismatch":
        what, fix = _PATTERNS.get(key, ("is empty or holds control characters", "give a plain text on one line"))
        return f"`{key}` {what}", fix
    if kind == "literal_error":
        return f"`{key}` is none of {context['expected']}", "choose one of them"
    if kind == "out_of_order":
        return f"`{key}` has its least above its most", "write it as [least, most]"
    if kind in {"too_short", "too_long"}:
        exact = "[least, most]" if key in {"subjects", "sessions", "rate"} else "at least one item"
        return f"`{key}` has {context['actual_length']} items", f"give {exact}"
    return _bounds(key, kind, error["input"], context)


def _bounds(key: str, kind: str, value: object, context: Mapping[str, Any]) -> tuple[str, str]:
    shown = f"`{key}` is {value}" if isinstance(value, int | float) else f"`{key}` is out of bounds"
    bounds = {
        "greater_than_equal": ("ge", "of at least"),
        "greater_than": ("gt", "above"),
        "less_than_equal": ("le", "of at most"),
    }
    if kind in bounds:
        name, words = bounds[kind]
        return shown, f"give a number {words} {context[name]}".removesuffix(".0")
    if kind == "string_too_long":
        return f"`{key}` is too long", f"use at most {context['max_length']} characters"
    return shown, "give a finite number" if kind == "finite_number" else "see the taxonomy reference for what may stand here"


def _unknown(path: KeyPath, model: type[BaseModel]) -> tuple[str, str]:
    key, above = str(path[-1]), ".".join(str(part) for part in path[:-1] if isinstance(part, str))
    table = _table_at(path[:-1], model)
    if table is StagesTable:
        return f"unknown stage {key!r}", nearest(key, table.model_fields, "stages")
    if table is FieldsFile:
        return f"unknown key {key!r}", "an included file may hold only [[field]]; the rest belongs into the taxonomy file"
    if key in {"api_key", "key"} and "key_env" in table.model_fields:
        return f"unknown key {key!r}", "keys are never stored here: name the environment variable in `key_env`"
    if table is TaxonomyFile:
        return f"unknown table {key!r}", nearest(key, table.model_fields, "known tables")
    inside = f" in {above.removeprefix('field.').removeprefix('subfield.').removeprefix('disciplines.')}" if "stage" in path else ""
    return f"unknown key {key!r}{inside}", nearest(key, table.model_fields, "known keys")


def _table_at(path: KeyPath, model: type[BaseModel]) -> type[BaseModel]:
    """The shape of the table at `path`."""
    named = False  # whether the next part is a name the user chose
    for part in path:
        if named or isinstance(part, int):
            named = False
            continue
        annotation = model.model_fields[part].annotation
        named = get_origin(annotation) is dict
        model = _shape_in(annotation) or model
    return model


def _shape_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _shape_in(part))), None)


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a date or time")
