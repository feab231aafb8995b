-- A list of rows, the tellers of a branch: GET tellers:1
select tid, tbalance
from pgbench_tellers
where bid = $1
order by tid
