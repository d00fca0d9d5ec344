-- one row a band of a question
select generate_subscripts(bands, 1) - 1 as band, unnest(bands) as key, question_id, discipline
from gland_parts.signatures
