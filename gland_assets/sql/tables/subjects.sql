-- one row a subject that stands
select subject_id, discipline, name, level, subtopics, found_in_queries, request_key
from gland_parts.subjects
where failure is null
