-- one row a subject of the discipline $1, with its sessions and their key concepts in order, and how many questions were asked of it
select
  s.subject_id, s.name, s.level, s.subtopics, s.found_in_queries, y.syllabus_id, y.introduction,
  (select count(*) from questions q where q.subject_id = s.subject_id) as questions,
  (
    select list({'session_id': session_id, 'title': title, 'description': description, 'concepts': concepts} order by position)
    from (
      select se.session_id, se.position, se.title, se.description, list(k.name order by k.position) filter (k.name is not null) as concepts
      from sessions se
      left join key_concepts k using (session_id)
      where se.subject_id = s.subject_id
      group by se.session_id, se.position, se.title, se.description
    )
  ) as sessions
from subjects s
left join syllabi y using (subject_id)
where s.discipline = $1
order by s.name, s.subject_id
