-- one row a question of the list $1, with its text and what became of it
select question_id, discipline, status, text
from questions
where question_id in (select unnest($1::text[]))
