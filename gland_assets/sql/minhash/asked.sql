-- one row a band key of a question that was met, as it is now or as it was before; the few met are taken out of the many bands first
with met as materialized (
  select question_id, key from bands semi join minhash_met using (question_id)
)
select question_id, key, true as now
from met
semi join publishable using (question_id)
union all
select question_id, key, false
from minhash_was_bands
semi join minhash_met using (question_id)
