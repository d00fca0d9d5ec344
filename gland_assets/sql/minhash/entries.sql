-- one row a question that can be published: it has a text and an answer, and repeats no benchmark
select s.question_id, s.discipline, q.text, s.text_hash, s.bands
from gland_parts.signatures s
join gland_parts.questions q using (question_id)
where q.text is not null
  and q.failure is null
  and s.question_id in (select question_id from gland_parts.answers where failure is null and text is not null)
  and s.question_id not in (select question_id from gland_parts.contamination)
order by s.question_id
