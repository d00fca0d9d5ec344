-- one row a benchmark set and split that was looked for: over all disciplines, and for each
select
  benchmark, split, discipline, max(b.items) as items, count(distinct c.item_id) as repeated, count(distinct c.question_id) as pairs,
  count(distinct c.item_id) / max(b.items) as share, count(distinct c.item_id) / max(b.items) > 0.02 as flagged
from benchmarks b
left join contamination c using (benchmark, split, discipline)
group by grouping sets ((benchmark, split), (benchmark, split, discipline))
