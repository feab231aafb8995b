-- A row by two key parts, branch and teller: GET teller:1:7
select tid, bid, tbalance
from pgbench_tellers
where bid = $1 and tid = $2
