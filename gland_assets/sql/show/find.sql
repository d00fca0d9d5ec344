-- one row a thing whose id begins with $1: its kind, id and discipline; at most 20
select 'question' as kind, question_id as id, discipline from questions where starts_with(question_id, $1)
union all
select 'answer' as kind, answer_id as id, discipline from answers where starts_with(answer_id, $1)
union all
select 'subject' as kind, subject_id as id, discipline from subjects where starts_with(subject_id, $1)
union all
select 'syllabus' as kind, syllabus_id as id, discipline from syllabi where starts_with(syllabus_id, $1)
union all
select 'session' as kind, session_id as id, discipline from sessions where starts_with(session_id, $1)
union all
select 'key concept' as kind, concept_id as id, discipline from key_concepts where starts_with(concept_id, $1)
union all
select 'failed row' as kind, row_id as id, discipline from failures
where starts_with(row_id, $1) and row_id not in (select question_id from questions)
limit 20
