-- one row a discipline: pairs wanted, questions asked for, and how many were kept, dropped or failed
select
  d.discipline, d.state, d.pairs_wanted, count(q.question_id) as asked,
  count(*) filter (q.status = 'kept') as kept,
  count(*) filter (q.status = 'exact_duplicate') as exact_duplicates,
  count(*) filter (q.status = 'near_duplicate') as near_duplicates,
  count(*) filter (q.status = 'contaminated') as contaminated,
  count(*) filter (q.status = 'failed') as failed
from disciplines d
left join questions q using (discipline)
group by d.discipline, d.state, d.pairs_wanted, d.position
order by d.position;
