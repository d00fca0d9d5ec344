-- one row a key concept of a session
select k.concept_id, session_id, discipline, k.position, k.name
from (
  select s.session_id as session_id, discipline, unnest(s.concepts) as k
  from (select discipline, unnest(sessions) as s from gland_parts.syllabi where failure is null)
)
