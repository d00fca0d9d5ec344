-- one row a key concept that no question was asked about
select k.discipline, se.title as session, k.name as concept
from key_concepts k
join sessions se using (session_id)
where k.concept_id not in (select concept_id from question_concepts)
order by k.discipline, se.title, k.position;
