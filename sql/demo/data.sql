-- What `pgbench -i -s 1` fills in: one branch, ten tellers, 100,000 accounts, no history.

insert into pgbench_branches (bid, bbalance)
select bid, 0 from generate_series(1, 1) as bid;

insert into pgbench_tellers (tid, bid, tbalance)
select tid, (tid - 1) / 10 + 1, 0 from generate_series(1, 10) as tid;

insert into pgbench_accounts (aid, bid, abalance, filler)
select aid, (aid - 1) / 100000 + 1, 0, '' from generate_series(1, 100000) as aid;

analyze pgbench_branches, pgbench_tellers, pgbench_accounts;
