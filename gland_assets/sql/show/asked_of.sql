-- one row a question asked of the session or key concept $1, the kept ones first
select distinct q.question_id, q.text, q.status is distinct from 'kept' as dropped
from question_concepts c
join questions q using (question_id)
where c.session_id = $1 or c.concept_id = $1
order by dropped, q.question_id
limit 10
