-- one row a benchmark set and a discipline that was looked through for it, hit or not
select benchmark, split, discipline, items
from (
  select told->>'discipline' as discipline,
    unnest(from_json(told->'looked_for', '[{"benchmark": "text", "split": "text", "items": "int"}]'), recursive := true)
  from gland_parts.contamination_told
)
where discipline in (select discipline from gland_parts.taxonomy)
