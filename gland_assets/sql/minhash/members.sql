-- one row a shared band key and a question that has it, before or now
select key, question_id
from bands
semi join minhash_shared using (key)
semi join publishable using (question_id)
union
select key, question_id
from minhash_was_bands
semi join minhash_shared using (key)
order by key, question_id
