-- one row a stage and cause of the rows that failed in one build, with an example of what was seen
select stage, cause, count(*) as rows, any_value(detail order by failure_id) as detail
from failures
where build_id = $1
group by stage, cause
order by rows desc, stage, cause
