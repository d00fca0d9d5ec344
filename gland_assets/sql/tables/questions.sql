-- one row a question asked for, with what became of it
select
  q.question_id, q.discipline, q.subject_id, q.sample_index, q.strategy, q.text, q.tokens, q.request_key,
  case
    when q.text is null or q.failure is not null or a.failed then 'failed'
    when a.question_id is null then null
    when q.question_id in (select question_id from contamination) then 'contaminated'
    when d.kind is not null then d.kind || '_duplicate'
    else 'kept'
  end as status,
  q.made_at
from gland_parts.questions q
left join (
  select question_id, bool_or(text is null or failure is not null) as failed from gland_parts.answers group by question_id
) a using (question_id)
left join gland_parts.duplicates d using (question_id)
