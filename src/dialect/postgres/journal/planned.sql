with said as (
  select run, body::json ->> 'planned' as planned from midwatch.events where kind = 'intent'
), found as (
  select run, count(*) || ':' || sum(hashint8extended(seq, step) + jsonb_hash_extended(key, 2)::numeric
           + jsonb_hash_extended(coalesce(before, 'null'), 0) + jsonb_hash_extended(coalesce(after, 'null'), 1)) as planned
  from midwatch.planned_rows group by run
)
select run::text from said left join found using (run) where said.planned is distinct from coalesce(found.planned, '0:') order by said.run
