-- one row a kept pair: $1 of them, drawn the same way for the same seed $2
select id from dataset order by hash(id, $2), id limit $1
