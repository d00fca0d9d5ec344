-- one row a syllabus that stands
select syllabus_id, subject_id, discipline, introduction, session_count, request_key
from gland_parts.syllabi
where failure is null
