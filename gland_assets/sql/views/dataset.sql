-- one row a kept question-answer pair
select
  q.question_id as id, q.discipline, d.subfield, sf.field, s.name as subject, s.level, q.strategy,
  (
    select list(distinct se.title order by se.title)
    from question_concepts c
    join sessions se using (session_id)
    where c.question_id = q.question_id
  ) as sessions,
  (
    select list(k.name order by k.concept_id)
    from question_concepts c
    join key_concepts k using (concept_id)
    where c.question_id = q.question_id
  ) as key_concepts,
  q.text as question, a.text as answer, q.tokens + a.tokens as tokens, rq.model as question_model, a.model as answer_model,
  pq.name as question_prompt, pq.prompt_hash as question_prompt_hash, coalesce(rq.usd, 0) + coalesce(ra.usd, 0) as usd
from questions q
join answers a using (question_id)
join subjects s using (subject_id)
join disciplines d on d.discipline = q.discipline
join subfields sf on sf.subfield = d.subfield
left join (
  select request_key, any_value(model) as model, any_value(prompt_hash) as prompt_hash, sum(usd) as usd from requests group by request_key
) rq on rq.request_key = q.request_key
left join (select request_key, sum(usd) as usd from requests group by request_key) ra on ra.request_key = a.request_key
left join prompts pq on pq.prompt_hash = rq.prompt_hash
where q.status = 'kept'
