-- As one transaction: psql --single-transaction, or a migration.

set local lock_timeout = '5s';
select pg_catalog.pg_advisory_xact_lock(7020073);
create schema if not exists pgsidecar;
create or replace function pgsidecar.changed_pgbench_accounts_67cd54999fb04f00() returns pg_catalog.trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $pgsidecar$
-- Tells pgsidecar which rows of public.pgbench_accounts by aid changed. Written by `pgsidecar sql install`.
-- Meaning: 744ae223ede1f765
declare
    channel constant text := 'pgsidecar';
    any_row constant text := 'pgs1a6:public16:pgbench_accounts';
    head constant text := 'pgs1k6:public16:pgbench_accounts1;3:aid';
    message text := head;
    seen bigint;
    longest int;
    typed boolean;
    keys text[];
    key text;
begin
    if tg_op = 'TRUNCATE' or tg_nargs > 0 then
        perform pg_notify(channel, any_row);
        return null;
    end if;
    if tg_op = 'INSERT' then
        select count(*), max(octet_length(t.key)), bool_and(t.typed),
            array_agg(distinct t.key collate "C") filter (where octet_length(t.key) <= 7960)
        into seen, longest, typed, keys
        from (
            select coalesce(octet_length(s.k0) || ':' || s.k0, '-') as key, s.typed
            from (
                select (r."aid")::pg_catalog.text as k0, pg_typeof(r."aid") = 'pg_catalog.int4'::regtype as typed from new_rows r
                limit 10001
            ) s
        ) t;
    elsif tg_op = 'DELETE' then
        select count(*), max(octet_length(t.key)), bool_and(t.typed),
            array_agg(distinct t.key collate "C") filter (where octet_length(t.key) <= 7960)
        into seen, longest, typed, keys
        from (
            select coalesce(octet_length(s.k0) || ':' || s.k0, '-') as key, s.typed
            from (
                select (r."aid")::pg_catalog.text as k0, pg_typeof(r."aid") = 'pg_catalog.int4'::regtype as typed from old_rows r
                limit 10001
            ) s
        ) t;
    else
        select count(*), max(octet_length(t.key)), bool_and(t.typed),
            array_agg(distinct t.key collate "C") filter (where octet_length(t.key) <= 7960)
        into seen, longest, typed, keys
        from (
            select coalesce(octet_length(s.k0) || ':' || s.k0, '-') as key, s.typed
            from (
                select (r."aid")::pg_catalog.text as k0, pg_typeof(r."aid") = 'pg_catalog.int4'::regtype as typed from old_rows r
                    union all select (r."aid")::pg_catalog.text as k0, pg_typeof(r."aid") = 'pg_catalog.int4'::regtype as typed from new_rows r
                limit 10001
            ) s
        ) t;
    end if;
    if seen = 0 then
        return null;
    elsif seen > 10000 or longest > 7960 or not typed then
        perform pg_notify(channel, any_row);
        return null;
    end if;
    foreach key in array keys loop
        if octet_length(message) + octet_length(key) > 7999 then
            perform pg_notify(channel, message);
            message := head;
        end if;
        message := message || key;
    end loop;
    perform pg_notify(channel, message);
    return null;
exception when others then
    begin
        perform pg_notify(channel, any_row);
    exception when others then
        raise warning 'pgsidecar was not told of a change: %', sqlerrm;
    end;
    return null;
end$pgsidecar$;
create or replace trigger pgsidecar_67cd54999fb04f00_insert
    after insert on "public"."pgbench_accounts" referencing new table as new_rows
    for each statement execute function pgsidecar.changed_pgbench_accounts_67cd54999fb04f00();
alter table only "public"."pgbench_accounts" enable always trigger pgsidecar_67cd54999fb04f00_insert;
create or replace trigger pgsidecar_67cd54999fb04f00_update
    after update on "public"."pgbench_accounts" referencing old table as old_rows new table as new_rows
    for each statement execute function pgsidecar.changed_pgbench_accounts_67cd54999fb04f00();
alter table only "public"."pgbench_accounts" enable always trigger pgsidecar_67cd54999fb04f00_update;
create or replace trigger pgsidecar_67cd54999fb04f00_delete
    after delete on "public"."pgbench_accounts" referencing old table as old_rows
    for each statement execute function pgsidecar.changed_pgbench_accounts_67cd54999fb04f00();
alter table only "public"."pgbench_accounts" enable always trigger pgsidecar_67cd54999fb04f00_delete;
create or replace trigger pgsidecar_67cd54999fb04f00_truncate
    after truncate on "public"."pgbench_accounts"
    for each statement execute function pgsidecar.changed_pgbench_accounts_67cd54999fb04f00();
alter table only "public"."pgbench_accounts" enable always trigger pgsidecar_67cd54999fb04f00_truncate;
select pg_catalog.pg_notify('pgsidecar', 'pgs1a6:public16:pgbench_accounts');

set local lock_timeout = '5s';
select pg_catalog.pg_advisory_xact_lock(7020073);
create schema if not exists pgsidecar;
create or replace function pgsidecar.changed_pgbench_tellers_095ad8b7cc6440cd() returns pg_catalog.trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $pgsidecar$
-- Tells pgsidecar which rows of public.pgbench_tellers by bid tid changed. Written by `pgsidecar sql install`.
-- Meaning: 5c2605366d458e59
declare
    channel constant text := 'pgsidecar';
    any_row constant text := 'pgs1a6:public15:pgbench_tellers';
    head constant text := 'pgs1k6:public15:pgbench_tellers2;3:bid3:tid';
    message text := head;
    seen bigint;
    longest int;
    typed boolean;
    keys text[];
    key text;
begin
    if tg_op = 'TRUNCATE' or tg_nargs > 0 then
        perform pg_notify(channel, any_row);
        return null;
    end if;
    if tg_op = 'INSERT' then
        select count(*), max(octet_length(t.key)), bool_and(t.typed),
            array_agg(distinct t.key collate "C") filter (where octet_length(t.key) <= 7956)
        into seen, longest, typed, keys
        from (
            select coalesce(octet_length(s.k0) || ':' || s.k0, '-') || coalesce(octet_length(s.k1) || ':' || s.k1, '-') as key, s.typed
            from (
                select (r."bid")::pg_catalog.text as k0, (r."tid")::pg_catalog.text as k1, pg_typeof(r."bid") = 'pg_catalog.int4'::regtype and pg_typeof(r."tid") = 'pg_catalog.int4'::regtype as typed from new_rows r
                limit 10001
            ) s
        ) t;
    elsif tg_op = 'DELETE' then
        select count(*), max(octet_length(t.key)), bool_and(t.typed),
            array_agg(distinct t.key collate "C") filter (where octet_length(t.key) <= 7956)
        into seen, longest, typed, keys
        from (
            select coalesce(octet_length(s.k0) || ':' || s.k0, '-') || coalesce(octet_length(s.k1) || ':' || s.k1, '-') as key, s.typed
            from (
                select (r."bid")::pg_catalog.text as k0, (r."tid")::pg_catalog.text as k1, pg_typeof(r."bid") = 'pg_catalog.int4'::regtype and pg_typeof(r."tid") = 'pg_catalog.int4'::regtype as typed from old_rows r
                limit 10001
            ) s
        ) t;
    else
        select count(*), max(octet_length(t.key)), bool_and(t.typed),
            array_agg(distinct t.key collate "C") filter (where octet_length(t.key) <= 7956)
        into seen, longest, typed, keys
        from (
            select coalesce(octet_length(s.k0) || ':' || s.k0, '-') || coalesce(octet_length(s.k1) || ':' || s.k1, '-') as key, s.typed
            from (
                select (r."bid")::pg_catalog.text as k0, (r."tid")::pg_catalog.text as k1, pg_typeof(r."bid") = 'pg_catalog.int4'::regtype and pg_typeof(r."tid") = 'pg_catalog.int4'::regtype as typed from old_rows r
                    union all select (r."bid")::pg_catalog.text as k0, (r."tid")::pg_catalog.text as k1, pg_typeof(r."bid") = 'pg_catalog.int4'::regtype and pg_typeof(r."tid") = 'pg_catalog.int4'::regtype as typed from new_rows r
                limit 10001
            ) s
        ) t;
    end if;
    if seen = 0 then
        return null;
    elsif seen > 10000 or longest > 7956 or not typed then
        perform pg_notify(channel, any_row);
        return null;
    end if;
    foreach key in array keys loop
        if octet_length(message) + octet_length(key) > 7999 then
            perform pg_notify(channel, message);
            message := head;
        end if;
        message := message || key;
    end loop;
    perform pg_notify(channel, message);
    return null;
exception when others then
    begin
        perform pg_notify(channel, any_row);
    exception when others then
        raise warning 'pgsidecar was not told of a change: %', sqlerrm;
    end;
    return null;
end$pgsidecar$;
create or replace trigger pgsidecar_095ad8b7cc6440cd_insert
    after insert on "public"."pgbench_tellers" referencing new table as new_rows
    for each statement execute function pgsidecar.changed_pgbench_tellers_095ad8b7cc6440cd();
alter table only "public"."pgbench_tellers" enable always trigger pgsidecar_095ad8b7cc6440cd_insert;
create or replace trigger pgsidecar_095ad8b7cc6440cd_update
    after update on "public"."pgbench_tellers" referencing old table as old_rows new table as new_rows
    for each statement execute function pgsidecar.changed_pgbench_tellers_095ad8b7cc6440cd();
alter table only "public"."pgbench_tellers" enable always trigger pgsidecar_095ad8b7cc6440cd_update;
create or replace trigger pgsidecar_095ad8b7cc6440cd_delete
    after delete on "public"."pgbench_tellers" referencing old table as old_rows
    for each statement execute function pgsidecar.changed_pgbench_tellers_095ad8b7cc6440cd();
alter table only "public"."pgbench_tellers" enable always trigger pgsidecar_095ad8b7cc6440cd_delete;
create or replace trigger pgsidecar_095ad8b7cc6440cd_truncate
    after truncate on "public"."pgbench_tellers"
    for each statement execute function pgsidecar.changed_pgbench_tellers_095ad8b7cc6440cd();
alter table only "public"."pgbench_tellers" enable always trigger pgsidecar_095ad8b7cc6440cd_truncate;
select pg_catalog.pg_notify('pgsidecar', 'pgs1a6:public15:pgbench_tellers');

set local lock_timeout = '5s';
select pg_catalog.pg_advisory_xact_lock(7020073);
create schema if not exists pgsidecar;
create or replace function pgsidecar.changed_pgbench_tellers_ca5f54a0e36b2fac() returns pg_catalog.trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $pgsidecar$
-- Tells pgsidecar which rows of public.pgbench_tellers by bid changed. Written by `pgsidecar sql install`.
-- Meaning: 1a46626b82c87384
declare
    channel constant text := 'pgsidecar';
    any_row constant text := 'pgs1a6:public15:pgbench_tellers';
    head constant text := 'pgs1k6:public15:pgbench_tellers1;3:bid';
    message text := head;
    seen bigint;
    longest int;
    typed boolean;
    keys text[];
    key text;
begin
    if tg_op = 'TRUNCATE' or tg_nargs > 0 then
        perform pg_notify(channel, any_row);
        return null;
    end if;
    if tg_op = 'INSERT' then
        select count(*), max(octet_length(t.key)), bool_and(t.typed),
            array_agg(distinct t.key collate "C") filter (where octet_length(t.key) <= 7961)
        into seen, longest, typed, keys
        from (
            select coalesce(octet_length(s.k0) || ':' || s.k0, '-') as key, s.typed
            from (
                select (r."bid")::pg_catalog.text as k0, pg_typeof(r."bid") = 'pg_catalog.int4'::regtype as typed from new_rows r
                limit 10001
            ) s
        ) t;
    elsif tg_op = 'DELETE' then
        select count(*), max(octet_length(t.key)), bool_and(t.typed),
            array_agg(distinct t.key collate "C") filter (where octet_length(t.key) <= 7961)
        into seen, longest, typed, keys
        from (
            select coalesce(octet_length(s.k0) || ':' || s.k0, '-') as key, s.typed
            from (
                select (r."bid")::pg_catalog.text as k0, pg_typeof(r."bid") = 'pg_catalog.int4'::regtype as typed from old_rows r
                limit 10001
            ) s
        ) t;
    else
        select count(*), max(octet_length(t.key)), bool_and(t.typed),
            array_agg(distinct t.key collate "C") filter (where octet_length(t.key) <= 7961)
        into seen, longest, typed, keys
        from (
            select coalesce(octet_length(s.k0) || ':' || s.k0, '-') as key, s.typed
            from (
                select (r."bid")::pg_catalog.text as k0, pg_typeof(r."bid") = 'pg_catalog.int4'::regtype as typed from old_rows r
                    union all select (r."bid")::pg_catalog.text as k0, pg_typeof(r."bid") = 'pg_catalog.int4'::regtype as typed from new_rows r
                limit 10001
            ) s
        ) t;
    end if;
    if seen = 0 then
        return null;
    elsif seen > 10000 or longest > 7961 or not typed then
        perform pg_notify(channel, any_row);
        return null;
    end if;
    foreach key in array keys loop
        if octet_length(message) + octet_length(key) > 7999 then
            perform pg_notify(channel, message);
            message := head;
        end if;
        message := message || key;
    end loop;
    perform pg_notify(channel, message);
    return null;
exception when others then
    begin
        perform pg_notify(channel, any_row);
    exception when others then
        raise warning 'pgsidecar was not told of a change: %', sqlerrm;
    end;
    return null;
end$pgsidecar$;
create or replace trigger pgsidecar_ca5f54a0e36b2fac_insert
    after insert on "public"."pgbench_tellers" referencing new table as new_rows
    for each statement execute function pgsidecar.changed_pgbench_tellers_ca5f54a0e36b2fac();
alter table only "public"."pgbench_tellers" enable always trigger pgsidecar_ca5f54a0e36b2fac_insert;
create or replace trigger pgsidecar_ca5f54a0e36b2fac_update
    after update on "public"."pgbench_tellers" referencing old table as old_rows new table as new_rows
    for each statement execute function pgsidecar.changed_pgbench_tellers_ca5f54a0e36b2fac();
alter table only "public"."pgbench_tellers" enable always trigger pgsidecar_ca5f54a0e36b2fac_update;
create or replace trigger pgsidecar_ca5f54a0e36b2fac_delete
    after delete on "public"."pgbench_tellers" referencing old table as old_rows
    for each statement execute function pgsidecar.changed_pgbench_tellers_ca5f54a0e36b2fac();
alter table only "public"."pgbench_tellers" enable always trigger pgsidecar_ca5f54a0e36b2fac_delete;
create or replace trigger pgsidecar_ca5f54a0e36b2fac_truncate
    after truncate on "public"."pgbench_tellers"
    for each statement execute function pgsidecar.changed_pgbench_tellers_ca5f54a0e36b2fac();
alter table only "public"."pgbench_tellers" enable always trigger pgsidecar_ca5f54a0e36b2fac_truncate;
select pg_catalog.pg_notify('pgsidecar', 'pgs1a6:public15:pgbench_tellers');

set local lock_timeout = '5s';
select pg_catalog.pg_advisory_xact_lock(7020073);
create schema if not exists pgsidecar;
create or replace function pgsidecar.changed_pgbench_branches_1c48df44097dab12() returns pg_catalog.trigger
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $pgsidecar$
-- Tells pgsidecar which rows of public.pgbench_branches changed. Written by `pgsidecar sql install`.
-- Meaning: b7d92242e14c4c9a
declare
    channel constant text := 'pgsidecar';
    any_row constant text := 'pgs1a6:public16:pgbench_branches';
begin
    if tg_op = 'TRUNCATE' or tg_nargs > 0 then
        perform pg_notify(channel, any_row);
        return null;
    end if;
    if tg_op = 'DELETE' then
        if not exists (select from old_rows) then return null; end if;
    elsif not exists (select from new_rows) then
        return null;
    end if;
    perform pg_notify(channel, 'pgs1k6:public16:pgbench_branches0;');
    return null;
exception when others then
    begin
        perform pg_notify(channel, any_row);
    exception when others then
        raise warning 'pgsidecar was not told of a change: %', sqlerrm;
    end;
    return null;
end$pgsidecar$;
create or replace trigger pgsidecar_1c48df44097dab12_insert
    after insert on "public"."pgbench_branches" referencing new table as new_rows
    for each statement execute function pgsidecar.changed_pgbench_branches_1c48df44097dab12();
alter table only "public"."pgbench_branches" enable always trigger pgsidecar_1c48df44097dab12_insert;
create or replace trigger pgsidecar_1c48df44097dab12_update
    after update on "public"."pgbench_branches" referencing old table as old_rows new table as new_rows
    for each statement execute function pgsidecar.changed_pgbench_branches_1c48df44097dab12();
alter table only "public"."pgbench_branches" enable always trigger pgsidecar_1c48df44097dab12_update;
create or replace trigger pgsidecar_1c48df44097dab12_delete
    after delete on "public"."pgbench_branches" referencing old table as old_rows
    for each statement execute function pgsidecar.changed_pgbench_branches_1c48df44097dab12();
alter table only "public"."pgbench_branches" enable always trigger pgsidecar_1c48df44097dab12_delete;
create or replace trigger pgsidecar_1c48df44097dab12_truncate
    after truncate on "public"."pgbench_branches"
    for each statement execute function pgsidecar.changed_pgbench_branches_1c48df44097dab12();
alter table only "public"."pgbench_branches" enable always trigger pgsidecar_1c48df44097dab12_truncate;
select pg_catalog.pg_notify('pgsidecar', 'pgs1a6:public16:pgbench_branches');
