-- One row: how many rows of the dataset lack a name on their way up to the field, or, unless imported, what they were sampled from.
select count(*) as incomplete
from dataset
where field is null or subfield is null or discipline is null
  or strategy <> 'imported' and (subject is null or len(sessions) = 0 or len(key_concepts) = 0)
