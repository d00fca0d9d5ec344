-- one row a question that came, went, or has another text or discipline than the one compared before
select distinct question_id
from (
  (from minhash_was except from minhash_now)
  union all
  (from minhash_now except from minhash_was)
)
