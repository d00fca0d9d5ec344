"""Dagster: the assets of every level, their checks, sensors and jobs, and the build that runs them."""

from gland_assets.assets.definitions import definitions_for

__all__ = ["definitions_for"]
