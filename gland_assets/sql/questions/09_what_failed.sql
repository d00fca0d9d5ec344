-- one row a cause, stage and deployment: rows that could not be made
select f.cause, f.stage, r.deployment, count(*) as failures, any_value(f.detail) as example
from failures f
left join requests r using (request_key)
group by f.cause, f.stage, r.deployment
order by failures desc, f.stage, f.cause;
