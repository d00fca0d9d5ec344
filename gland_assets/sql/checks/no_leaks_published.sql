-- how many rows of the dataset repeat a benchmark's item
select count(*) from dataset where id in (select question_id from contamination)
