-- one row a benchmark item and a question or answer that repeats it
select question_id, discipline, part, benchmark, split, item_id, items, share, ngram, question_span, item_span
from gland_parts.contamination
