-- A row by its primary key: GET account:4711
select aid, bid, abalance
from pgbench_accounts
where aid = $1
