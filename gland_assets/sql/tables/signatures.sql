-- one row a question with text: the hash of that text
select question_id, discipline, text_hash
from gland_parts.signatures
