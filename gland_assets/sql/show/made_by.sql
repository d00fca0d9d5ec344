-- one row: the level and row that the thing $1 is or stands in, the request it came from, and why it failed if it did
select 'subjects' as asset, discipline, subject_id as row_id, request_key, failure.cause as cause
from gland_parts.subjects
where subject_id = $1
union all
select 'syllabi', discipline, syllabus_id, request_key, failure.cause
from gland_parts.syllabi
where syllabus_id = $1
  or syllabus_id in (select syllabus_id from sessions where session_id = $1)
  or syllabus_id in (select syllabus_id from key_concepts join sessions using (session_id) where concept_id = $1)
union all
select 'questions', discipline, question_id, request_key, failure.cause from gland_parts.questions where question_id = $1
union all
select 'answers', discipline, answer_id, request_key, failure.cause from gland_parts.answers where answer_id = $1
