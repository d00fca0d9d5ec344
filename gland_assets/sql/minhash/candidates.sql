-- one row a question or reference that has some of the band keys asked for, those with most of them first
select question_id, discipline
from signed
join sharing using (number)
order by bands desc, question_id, discipline
