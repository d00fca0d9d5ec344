-- one row a question that has some of the band keys $1, those with most of them first
select question_id, discipline
from (select question_id, discipline from bands where key in (select unnest($1::ubigint[])))
group by question_id, discipline
order by count(*) desc, question_id
