-- one row a pair, twenty at random
select discipline, level, question, answer
from dataset
using sample 20 rows;
