"""The pure floor: taxonomy, settings, recipes, sampling, parsing, plan and dedup maths. No disk, no network, no Dagster."""
