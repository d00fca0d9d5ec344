"""The command line: verbs over the assets and the world below them. The only floor that prints."""

from gland_assets.cli.app import main

__all__ = ["main"]
