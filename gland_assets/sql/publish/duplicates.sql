-- one row a dropped question, where both it and the kept one are published
select question_id, kept_id, discipline, kept_discipline, kind, jaccard
from gland_parts.duplicates
where question_id in (select question_id from questions) and kept_id in (select question_id from questions)
