-- One row: how many question and answer ids stand more than once over all disciplines.
select count(*) as twice
from (
  select question_id from questions group by question_id having count(*) > 1
  union all
  select answer_id from answers group by answer_id having count(*) > 1
)
