-- one row a benchmark set and split of which pairs repeat items: over all disciplines, and for each
select
  benchmark, split, discipline, any_value(items) as items, count(distinct item_id) as repeated, count(distinct question_id) as pairs,
  count(distinct item_id) / any_value(items) as share, count(distinct item_id) / any_value(items) > 0.02 as flagged
from contamination
group by grouping sets ((benchmark, split), (benchmark, split, discipline))
