-- one row a row that could not be made
select f.failure_id, f.build_id, discipline, stage, f.row_id, f.request_key, f.cause, f.detail, f.attempts, f.failed_at
from (
  select discipline, 'subjects' as stage, failure as f from gland_parts.subjects
  union all
  select discipline, 'syllabi' as stage, failure as f from gland_parts.syllabi
  union all
  select discipline, 'questions' as stage, failure as f from gland_parts.questions
  union all
  select discipline, 'answers' as stage, failure as f from gland_parts.answers
)
where f is not null
