-- one row a question of the list $1, with its answer, its place, what it was made from, what made it, and what became of it
with paid as (
  select request_key, any_value(model) as model, any_value(prompt_hash) as prompt_hash, sum(usd) as usd
  from requests
  group by request_key
)
select
  q.question_id, q.discipline, s.name as subject, s.level, q.strategy, q.status, q.text as question, q.tokens as question_tokens,
  rq.model as question_model, pq.name as question_prompt, rq.usd as question_usd,
  a.answer_id, a.text as answer, a.tokens as answer_tokens, coalesce(a.model, ra.model) as answer_model, pa.name as answer_prompt,
  ra.usd as answer_usd, d.kept_id, d.jaccard,
  (
    select list({'title': title, 'concepts': concepts} order by position)
    from (
      select se.position, se.title, list(k.name order by k.position) as concepts
      from question_concepts c
      join sessions se using (session_id)
      join key_concepts k using (concept_id)
      where c.question_id = q.question_id
      group by se.session_id, se.position, se.title
    )
  ) as sessions,
  (
    select list({'benchmark': benchmark, 'split': split, 'item_id': item_id, 'part': part, 'share': share, 'span': question_span} order by share desc)
    from contamination c
    where c.question_id = q.question_id
  ) as leaks,
  uq.failure.cause || ': ' || uq.failure.detail as question_failure,
  ua.failure.cause || ': ' || ua.failure.detail as answer_failure
from questions q
left join subjects s using (subject_id)
left join answers a using (question_id)
left join gland_parts.questions uq using (question_id)
left join gland_parts.answers ua using (question_id)
left join duplicates d using (question_id)
left join paid rq on rq.request_key = q.request_key
left join paid ra on ra.request_key = a.request_key
left join prompts pq on pq.prompt_hash = rq.prompt_hash
left join prompts pa on pa.prompt_hash = ra.prompt_hash
where list_contains($1::text[], q.question_id)
order by list_position($1::text[], q.question_id)
