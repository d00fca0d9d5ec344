-- one row two disciplines, the one that drops first
select
  discipline, kept_discipline, count(*) filter (kind = 'exact') as exact, count(*) filter (kind = 'near') as near,
  min(jaccard) as least, avg(jaccard) as mean
from duplicates
group by discipline, kept_discipline
order by discipline, kept_discipline
