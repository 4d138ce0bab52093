with said as (
  select run, (body::json ->> 'batch')::bigint as batch, body::json ->> 'images' as images
  from midwatch.events where kind = 'batch'
), found as (
  select run, batch,
         count(*) || ':' || sum(jsonb_hash_extended(coalesce(before, 'null'), 0)::numeric
                                + jsonb_hash_extended(coalesce(after, 'null'), 1)
                                + jsonb_hash_extended(key, 2)) as images
  from midwatch.images group by run, batch
)
select run::text as run, batch, said.images as said, found.images as found
from said full join found using (run, batch)
where said.images is distinct from found.images and not (said.images = '0:' and found.images is null)
order by 1, 2
