-- one row a band key that was asked for and that several rows have, before or now; a row whose text changed a little counts twice
select key
from (
  select key from bands semi join minhash_asked using (key)
  union all
  select key from minhash_was_bands semi join minhash_asked using (key)
)
group by key
having count(*) > 1
