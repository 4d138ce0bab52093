select coalesce(case o.kind
  when 'relation' then to_regclass(o.name) is not null
  when 'type' then to_regtype(o.name) is not null
  when 'schema' then to_regnamespace(o.name) is not null
  when 'role' then to_regrole(o.name) is not null
  when 'extension' then exists (select from pg_extension e where e.extname = btrim(o.name, '"'))
  when 'function' then exists (
    select from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where format('%s', p.proname) = btrim(split_part(o.name, '.', cardinality(string_to_array(o.name, '.'))), '"')
      and (o.name not like '%.%' or n.nspname = btrim(split_part(o.name, '.', 1), '"'))
      and (o.of = '' or p.prosrc = o.of))
  when 'trigger' then exists (
    select from pg_trigger t where t.tgname = btrim(o.name, '"') and t.tgrelid = to_regclass(o.of))
  when 'column' then exists (
    select from pg_attribute a where a.attname = btrim(o.name, '"') and a.attrelid = to_regclass(o.of) and not a.attisdropped)
  when 'constraint' then exists (
    select from pg_constraint c where c.conname = btrim(o.name, '"') and c.conrelid = to_regclass(o.of))
  when 'grant' then case
    when to_regrole(o.of) is null or to_regclass(split_part(o.name, '|', 2)) is null then false
    when split_part(o.name, '|', 1) like '% %' then has_column_privilege(
      to_regrole(o.of)::oid, to_regclass(split_part(o.name, '|', 2))::oid,
      split_part(split_part(o.name, '|', 1), ' ', 2), split_part(o.name, ' ', 1))
    else has_table_privilege(
      to_regrole(o.of)::oid, to_regclass(split_part(o.name, '|', 2))::oid, split_part(o.name, '|', 1))
  end
end, false) as present
from unnest($1::text[], $2::text[], $3::text[]) with ordinality o(kind, name, of, i)
order by o.i
