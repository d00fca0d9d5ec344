-- one row a shared band key and a question that has it, before or now; the few shared are taken out of the many bands first
with sharing as materialized (
  select key, question_id from bands semi join minhash_shared using (key)
)
select key, question_id
from sharing
semi join publishable using (question_id)
union
select key, question_id
from minhash_was_bands
semi join minhash_shared using (key)
order by key, question_id
