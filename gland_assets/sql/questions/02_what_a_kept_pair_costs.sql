-- one row a discipline that has cost anything: dollars paid, pairs kept, and dollars a kept pair
with paid as (select discipline, sum(usd) as usd from requests group by discipline),
kept as (select discipline, count(*) as pairs from dataset group by discipline)
select discipline, paid.usd, coalesce(kept.pairs, 0) as pairs, paid.usd / nullif(kept.pairs, 0) as usd_a_pair
from paid
left join kept using (discipline)
order by usd_a_pair desc nulls first, discipline;
