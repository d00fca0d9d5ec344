-- one row a question, as it is or as it was, with the text hash of one that was met
with either as (
  select text_hash, question_id from publishable
  union
  select text_hash, question_id from minhash_was
)
select text_hash, question_id
from either
where text_hash in (select text_hash from either semi join minhash_met using (question_id))
order by text_hash, question_id
