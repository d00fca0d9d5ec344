-- one row a dropped question
select s.question_id, k.question_id as kept_id, s.discipline, k.discipline as kept_discipline, d.kind, d.jaccard
from dropped d
join signed s using (number)
join signed k on k.number = d.kept
order by s.question_id
