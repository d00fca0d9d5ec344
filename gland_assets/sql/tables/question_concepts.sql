-- one row a key concept sampled for a question
select question_id, c.concept_id, c.session_id, discipline
from (select question_id, discipline, unnest(concepts) as c from gland_parts.questions)
