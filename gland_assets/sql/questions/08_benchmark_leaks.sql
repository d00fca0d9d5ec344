-- one row a benchmark set and split: its items that questions repeat, those questions, and one such passage
select
  benchmark, split, count(distinct item_id) as items, count(distinct question_id) as questions, max(share) as greatest_share,
  arg_max(question_span, share) as passage
from contamination
group by benchmark, split
order by questions desc;
