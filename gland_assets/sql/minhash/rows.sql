-- one row a signed question, and whether it can be published: it has an answer that did not fail and repeats no benchmark; references always count
select question_id, discipline, text_hash, bands, bitmap,
  question_id in (select question_id from gland_parts.answers where failure is null)
    and question_id not in (select question_id from gland_parts.contamination) as publishable
from gland_parts.signatures
union all
select question_id, discipline, text_hash, bands, bitmap, true
from gland_parts.reference_signatures
