-- one row: the subject that the syllabus, session or key concept $1 stands under, and for the latter two their session
select se.subject_id, se.session_id, k.name as concept
from sessions se
left join key_concepts k on k.session_id = se.session_id and k.concept_id = $1
where se.syllabus_id = $1 or se.session_id = $1 or k.concept_id = $1
union all
select subject_id, null, null from syllabi where syllabus_id = $1
limit 1
