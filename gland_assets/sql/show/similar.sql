-- one row a question of the list $1, with what became of it
select question_id, status
from questions
where question_id in (select unnest($1::text[]))
