-- one row a dropped question, with the kept one it duplicates
select question_id, kept_id, discipline, kept_discipline, kind, jaccard
from gland_parts.duplicates
