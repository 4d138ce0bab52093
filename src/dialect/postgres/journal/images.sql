-- Batches whose before-images their entries do not bear out. $1: of this run; null: of all.
with said as (
  select run, (body::json ->> 'batch')::bigint as batch, body::json ->> 'images' as images
  from midwatch.events where kind = 'batch' and ($1::bigint is null or run = $1::bigint)
), found as (
  select s.run, s.batch, s.images as said,
         -- Earlier versions wrote a sum of hashes.
         case when s.images like '%:sha256:%' then ({sha256})
              else coalesce((
                select count(*) || ':' || sum(jsonb_hash_extended(coalesce(i.before, 'null'), 0)::numeric
                                              + jsonb_hash_extended(coalesce(i.after, 'null'), 1)
                                              + jsonb_hash_extended(i.key, 2))
                from midwatch.images i where i.run = s.run and i.batch = s.batch), '0:') end as found
  from said s
)
select run::text as run, batch, said, found from found where said is distinct from found
union all
select i.run::text, i.batch, null, count(*) || ' images'
from midwatch.images i
where ($1::bigint is null or i.run = $1::bigint)
  and not exists (select from said s where s.run = i.run and s.batch = i.batch)
group by i.run, i.batch
order by 1, 2
