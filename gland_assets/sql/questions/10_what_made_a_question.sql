-- one row a question, here the newest, with the prompt, model, tokens and price that made it; ask of another by its question_id
select q.question_id, q.text as question, p.name as prompt, p.text as prompt_text, r.model, r.prompt_tokens, r.completion_tokens, r.usd
from questions q
left join requests r using (request_key)
left join prompts p using (prompt_hash)
where q.question_id = (select question_id from questions order by made_at desc, question_id limit 1);
