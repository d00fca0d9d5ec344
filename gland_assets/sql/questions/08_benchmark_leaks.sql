-- one row a benchmark set and split: its items that pairs repeat, over all disciplines, and one such passage
select benchmark, split, s.items, s.repeated, s.pairs, s.share, s.flagged, arg_max(c.question_span, c.share) as passage
from contamination_sets s
left join contamination c using (benchmark, split)
where s.discipline is null
group by all
order by s.share desc, benchmark;
