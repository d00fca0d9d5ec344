-- one row a band key of a question that was met, as it is now or as it was before
select b.question_id, b.key, true as now
from bands b
semi join minhash_met using (question_id)
semi join publishable using (question_id)
union all
select b.question_id, b.key, false
from minhash_was_bands b
semi join minhash_met using (question_id)
