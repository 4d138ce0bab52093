-- What of schema midwatch another than its owner could have something run by, with the rights of who reads or writes
-- there. $1: the names of the journal's relations, $2: their kinds.
with me as (
  select r.oid, r.rolsuper or r.rolcreaterole or r.rolbypassrls or r.rolreplication
         or exists (select from pg_roles p where pg_has_role(r.oid, p.oid, 'member')
                    and p.rolname in ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')) as strong
  from pg_roles r where r.rolname = current_user),
-- Who has more rights than others trusts no other role with them. The rest works with the journal of whom it is admitted by.
trusted as (
  select r.oid from pg_roles r join me on r.rolsuper or r.oid = me.oid
  union select n.nspowner from pg_namespace n join me on not me.strong where n.nspname = 'midwatch'),
ours as (
  select c.*, k.kind from pg_class c join pg_namespace n on n.oid = c.relnamespace
  join (select ($1::text[])[i] as name, ($2::text[])[i] as kind from generate_series(1, cardinality($1::text[])) i) k on k.name = c.relname
  where n.nspname = 'midwatch'),
owned as (
  select 0 as place, 'schema midwatch' as name, n.nspowner as owner from pg_namespace n where n.nspname = 'midwatch'
  union all select 1, format('midwatch.%s', relname), relowner from ours
  union all select 1, format('midwatch.%s()', p.proname), p.proowner
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'midwatch' and p.proname in ('append_only', 'comes_with_its_run'))
select w.what from (
  select 0 as place, format('%s belongs to role %s', string_agg(o.name, ', ' order by o.place, o.name), pg_get_userbyid(o.owner)) as what
  from owned o where o.owner not in (select oid from trusted) group by o.owner
  union all
  select 1, format('midwatch.%s is no %s', relname, case kind when 'v' then 'view' when 'S' then 'sequence' else 'table' end)
  from ours where relkind::text <> kind
  union all
  select 2, format('midwatch.%s has row security', relname) from ours where relrowsecurity or relforcerowsecurity
  union all
  select 2, format('midwatch.%s has policy %s', o.relname, p.polname) from ours o join pg_policy p on p.polrelid = o.oid
  union all
  select 3, format('midwatch.%s has rule %s', o.relname, r.rulename) from ours o join pg_rewrite r on r.ev_class = o.oid
  where o.kind <> 'v' or r.rulename <> '_RETURN'
  union all
  select 4, format('%s inherits from %s', i.inhrelid::regclass, i.inhparent::regclass) from pg_inherits i
  where i.inhparent in (select oid from ours) or i.inhrelid in (select oid from ours)
  union all
  select 5, format('%s may make triggers on midwatch.%s', case when a.grantee = 0 then 'PUBLIC' else format('role %s', pg_get_userbyid(a.grantee)) end, o.relname)
  from ours o cross join lateral aclexplode(o.relacl) a
  where a.privilege_type = 'TRIGGER' and a.grantee not in (select oid from trusted)
  union all
  select 6, format('trigger %s of midwatch.%s runs %s of role %s', t.tgname, o.relname, p.oid::regprocedure, pg_get_userbyid(p.proowner))
  from ours o join pg_trigger t on t.tgrelid = o.oid and not t.tgisinternal join pg_proc p on p.oid = t.tgfoid
  where p.proowner not in (select oid from trusted)
) w order by w.place, w.what
