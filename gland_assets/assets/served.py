"""What Dagster opens for a project without a definitions file of its own: `-m gland_assets.assets.served`."""

import os

from gland_assets.assets.definitions import definitions_for

defs = definitions_for(os.environ.get("GLAND_TAXONOMY", "taxonomy.toml"))
