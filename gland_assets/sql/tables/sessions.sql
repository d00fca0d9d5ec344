-- one row a class session
select s.session_id, syllabus_id, subject_id, discipline, s.position, s.title, s.description
from (select syllabus_id, subject_id, discipline, unnest(sessions) as s from gland_parts.syllabi where failure is null)
