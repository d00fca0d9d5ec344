-- one row the newest question: prompt, model, tokens and price; put a question_id in place of the subquery to ask of that one
select q.question_id, q.text as question, p.name as prompt, p.text as prompt_text, r.model, r.prompt_tokens, r.completion_tokens, r.usd
from questions q
left join requests r using (request_key)
left join prompts p using (prompt_hash)
where q.question_id = (select question_id from questions order by made_at desc, question_id limit 1);
