-- one row a row that names a request whose key begins with $1 as its own; at most 20
select 'subjects' as asset, discipline, subject_id as row_id, request_key, failure.cause as cause
from gland_parts.subjects
where starts_with(request_key, $1)
union all
select 'syllabi', discipline, syllabus_id, request_key, failure.cause from gland_parts.syllabi where starts_with(request_key, $1)
union all
select 'questions', discipline, question_id, request_key, failure.cause from gland_parts.questions where starts_with(request_key, $1)
union all
select 'answers', discipline, answer_id, request_key, failure.cause from gland_parts.answers where starts_with(request_key, $1)
limit 20
