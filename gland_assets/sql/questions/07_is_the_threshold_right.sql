-- one row a dropped question beside the kept one, the least alike first
select d.jaccard, dropped.text as dropped, kept.text as kept
from duplicates d
join questions dropped using (question_id)
join questions kept on kept.question_id = d.kept_id
order by d.jaccard, d.question_id
limit 20;
