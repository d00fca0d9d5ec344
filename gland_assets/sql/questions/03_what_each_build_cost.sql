-- one row a build, stage and model: requests paid for, their dollars, and what the build reused
select b.started_at, b.build_id, b.outcome, b.reused, r.stage, r.model, count(r.request_key) as calls, sum(r.usd) as usd
from builds b
left join requests r using (build_id)
group by b.started_at, b.build_id, b.outcome, b.reused, r.stage, r.model
order by b.started_at desc, r.stage, r.model;
