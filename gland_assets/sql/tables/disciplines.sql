-- one row a discipline of the taxonomy, with how far it has come
with asked as (
  select q.discipline, count(*) as questions, count(*) filter (q.status is null) as unanswered, max(greatest(q.made_at, a.made_at)) as built_at
  from questions q left join answers a using (question_id)
  group by q.discipline
),
failed as (select discipline, count(*) as failures from failures group by discipline)
select
  t.discipline, t.subfield, t.name, t.position,
  case
    when asked.questions is null and t.discipline not in (select discipline from subjects) and failed.failures is null then 'missing'
    when asked.questions is null and failed.failures is null or asked.unanswered > 0 then 'partial'
    when failed.failures > 0 then 'failed_rows'
    else 'built'
  end as state,
  t.pairs_wanted,
  asked.built_at
from gland_parts.taxonomy t
left join asked using (discipline)
left join failed using (discipline)
