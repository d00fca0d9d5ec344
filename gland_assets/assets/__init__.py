"""Dagster: the assets of every level, their checks, sensors and jobs, and the build that runs them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gland_assets.assets.definitions import definitions_for

__all__ = ["definitions_for"]


def __getattr__(name: str) -> Any:
    if name != "definitions_for":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gland_assets.assets.definitions import definitions_for  # which imports dagster: what starts workers does without

    return definitions_for
