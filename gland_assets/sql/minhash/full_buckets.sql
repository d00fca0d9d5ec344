-- one row a bucket of which more than $1 rows were kept: those after them were not compared with all in it
select s.key, min(r.discipline) as discipline
from shared s
join signed r using (number)
where s.kind in (0, 2)
  and (s.kind = 0 or starts_with(r.discipline, 'reference:'))
  and s.number not in (select number from dropped)
group by s.kind, s.key
having count(*) > $1
