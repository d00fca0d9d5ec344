-- how many benchmark sets have more than 2 % of their items repeated
select count(*) from contamination_sets where flagged and discipline is null
