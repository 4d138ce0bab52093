-- What the journal consists of, as the catalog has it: kind, name, definition. $1: the names of its relations.
with ours as (
  select c.oid, c.relname, c.relkind from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'midwatch' and c.relname = any ($1::text[]))
select 'relation' as kind, relname::text as name, relkind::text as definition from ours
union all
select 'column', format('%s.%s', o.relname, a.attname),
       concat(format_type(a.atttypid, a.atttypmod), case when a.attnotnull then ' not null' end,
              case when a.attgenerated <> '' then ' generated' when a.atthasdef then ' default' end,
              ' ' || pg_get_expr(d.adbin, d.adrelid), ' identity ' || nullif(a.attidentity::text, ''))
from ours o join pg_attribute a on a.attrelid = o.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = o.oid and d.adnum = a.attnum
where o.relkind <> 'S'
union all
select 'constraint', format('%s.%s', o.relname, k.conname),
       concat(pg_get_constraintdef(k.oid), case when not k.convalidated then ' NOT VALID' end)
from ours o join pg_constraint k on k.conrelid = o.oid where k.contype in ('c', 'p', 'u', 'f', 'x')
union all
-- Of plain columns it costs nothing but time; its expressions are computed by who writes.
select 'index', format('%s.%s', o.relname, c.relname), pg_get_indexdef(i.indexrelid)
from ours o join pg_index i on i.indrelid = o.oid join pg_class c on c.oid = i.indexrelid
where i.indexprs is not null or i.indpred is not null
union all
select 'trigger', format('%s.%s', o.relname, t.tgname), concat(pg_get_triggerdef(t.oid), ' enabled ', t.tgenabled)
from ours o join pg_trigger t on t.tgrelid = o.oid where not t.tgisinternal
union all
select 'function', p.oid::regprocedure::text, concat(l.lanname, case when p.prosecdef then ' security definer' end,
       ' ' || p.proconfig::text, ' ', md5(p.prosrc))
from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
where n.nspname = 'midwatch' and p.proname in ('append_only', 'comes_with_its_run')
