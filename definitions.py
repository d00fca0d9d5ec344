"""What Dagster opens: the assets of the taxonomy beside this file."""

from pathlib import Path

from gland_assets.assets import definitions_for

defs = definitions_for(Path(__file__).parent / "taxonomy.toml")
