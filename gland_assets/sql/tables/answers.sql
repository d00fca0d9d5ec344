-- one row an answer that stands
select answer_id, question_id, discipline, text, tokens, finish_reason, deployment, model, request_key, made_at
from gland_parts.answers
where failure is null and text is not null
