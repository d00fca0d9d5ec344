-- one row a question whose status the duplicates and the contamination now say otherwise
update questions
set status = now.status
from (
  select
    q.question_id,
    case
      when q.question_id in (select question_id from contamination) then 'contaminated'
      when d.kind is not null then d.kind || '_duplicate'
      else 'kept'
    end as status
  from questions q
  left join duplicates d using (question_id)
  where q.status <> 'failed'
) now
where questions.question_id = now.question_id and questions.status <> now.status
