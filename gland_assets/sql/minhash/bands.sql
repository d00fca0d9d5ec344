-- one row a band of a question or a reference
create view bands as
select generate_subscripts(keys, 1) - 1 as band, unnest(keys) as key, question_id, discipline
from signed
