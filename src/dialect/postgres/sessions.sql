select a.pid, a.usename as role, nullif(a.application_name, '') as application, host(a.client_addr) as client,
       a.state, coalesce(a.state like 'idle in transaction%', false) as idle_in_transaction, nullif(concat_ws(': ', a.wait_event_type, a.wait_event), '') as wait,
       extract(epoch from clock_timestamp() - a.xact_start)::float8 as tx_s,
       extract(epoch from clock_timestamp() - a.query_start)::float8 as query_s,
       left(regexp_replace(a.query, '\s+', ' ', 'g'), 300) as query,
       case when a.wait_event_type = 'Lock' then pg_blocking_pids(a.pid) else '{}' end as blocked_by,
       l.locks
from pg_stat_activity a
left join lateral (
  select string_agg(k.what, ', ' order by k.what) as locks
  from (select distinct concat(c.relname, ' ', replace(p.mode, 'Lock', ''), case when p.granted then '' else ' (waits)' end) as what
        from pg_locks p join pg_class c on c.oid = p.relation
        where p.pid = a.pid and p.database = (select oid from pg_database where datname = current_database())
          and c.relkind in ('r', 'p', 'm') and p.mode not in ('AccessShareLock')
        limit 6) k
) l on true
where a.backend_type = 'client backend' and a.pid <> pg_backend_pid()
  and (a.state <> 'idle' or a.xact_start is not null)
  and a.datname = current_database()
order by (a.wait_event_type = 'Lock') desc nulls last, a.xact_start nulls last
