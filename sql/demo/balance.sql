-- One value: GET balance:4711
select abalance
from pgbench_accounts
where aid = $1
