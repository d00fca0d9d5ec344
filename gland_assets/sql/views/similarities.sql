-- one row a step of a twentieth and a discipline; what is the same stands alone in the last
select discipline, step / 20 as at_least, least((step + 1) / 20, 1.0) as below, count(*) as questions
from (select discipline, floor(jaccard * 20 + 1e-9) as step from duplicates)
group by discipline, step
order by discipline, step
