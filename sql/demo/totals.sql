-- No parameter, so the group's name alone is the key: GET totals
select count(*) as branches, sum(bbalance) as balance
from pgbench_branches
