-- one row a discipline, a subfield, a field, or (all three null) everything: kept pairs and their tokens
select field, subfield, discipline, count(*) as pairs, sum(tokens) as tokens
from dataset
group by rollup (field, subfield, discipline)
order by field nulls first, subfield nulls first, discipline nulls first;
