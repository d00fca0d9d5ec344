-- one row a build
select build_id, started_at, ended_at, outcome, calls, reused, usd, gland_version, taxonomy_hash
from gland_parts.builds
