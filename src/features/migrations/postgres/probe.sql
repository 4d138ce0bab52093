-- Asked under the profile's path: every function, type and operator with its schema.
select coalesce(case
  when o.kind operator(pg_catalog.=) 'relation' then pg_catalog.to_regclass(o.name) is not null
  when o.kind operator(pg_catalog.=) 'type' then pg_catalog.to_regtype(o.name) is not null
  when o.kind operator(pg_catalog.=) 'schema' then pg_catalog.to_regnamespace(o.name) is not null
  when o.kind operator(pg_catalog.=) 'role' then pg_catalog.to_regrole(o.name) is not null
  when o.kind operator(pg_catalog.=) 'extension' then exists (
    select from pg_catalog.pg_extension e where e.extname operator(pg_catalog.=) pg_catalog.btrim(o.name, '"'))
  when o.kind operator(pg_catalog.=) 'function' then exists (
    select from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) p.pronamespace
    where pg_catalog.format('%s', p.proname) operator(pg_catalog.=) pg_catalog.btrim(pg_catalog.split_part(
            o.name, '.', pg_catalog.cardinality(pg_catalog.string_to_array(o.name, '.'))), '"')
      and (o.name operator(pg_catalog.!~~) '%.%'
        or n.nspname operator(pg_catalog.=) pg_catalog.btrim(pg_catalog.split_part(o.name, '.', 1), '"'))
      and (o.of operator(pg_catalog.=) '' or p.prosrc operator(pg_catalog.=) o.of))
  when o.kind operator(pg_catalog.=) 'trigger' then exists (
    select from pg_catalog.pg_trigger t where t.tgname operator(pg_catalog.=) pg_catalog.btrim(o.name, '"')
      and t.tgrelid operator(pg_catalog.=) pg_catalog.to_regclass(o.of)::pg_catalog.oid)
  when o.kind operator(pg_catalog.=) 'column' then exists (
    select from pg_catalog.pg_attribute a where a.attname operator(pg_catalog.=) pg_catalog.btrim(o.name, '"')
      and a.attrelid operator(pg_catalog.=) pg_catalog.to_regclass(o.of)::pg_catalog.oid and not a.attisdropped)
  when o.kind operator(pg_catalog.=) 'constraint' then exists (
    select from pg_catalog.pg_constraint c where c.conname operator(pg_catalog.=) pg_catalog.btrim(o.name, '"')
      and c.conrelid operator(pg_catalog.=) pg_catalog.to_regclass(o.of)::pg_catalog.oid)
  when o.kind operator(pg_catalog.=) 'grant' then case
    when pg_catalog.to_regrole(o.of) is null
      or pg_catalog.to_regclass(pg_catalog.split_part(o.name, '|', 2)) is null then false
    when pg_catalog.split_part(o.name, '|', 1) operator(pg_catalog.~~) '% %' then pg_catalog.has_column_privilege(
      pg_catalog.to_regrole(o.of)::pg_catalog.oid,
      pg_catalog.to_regclass(pg_catalog.split_part(o.name, '|', 2))::pg_catalog.oid,
      pg_catalog.split_part(pg_catalog.split_part(o.name, '|', 1), ' ', 2), pg_catalog.split_part(o.name, ' ', 1))
    else pg_catalog.has_table_privilege(
      pg_catalog.to_regrole(o.of)::pg_catalog.oid,
      pg_catalog.to_regclass(pg_catalog.split_part(o.name, '|', 2))::pg_catalog.oid,
      pg_catalog.split_part(o.name, '|', 1))
  end
end, false) as present
from rows from (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]),
                pg_catalog.unnest($3::pg_catalog.text[])) with ordinality o(kind, name, of, i)
order by o.i
