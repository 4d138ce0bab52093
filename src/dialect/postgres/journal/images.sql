-- Batches whose before-images their entries do not bear out. $1: of this run; null: of all.
with said as (
  select run, (body::json ->> 'batch')::bigint as batch, body::json ->> 'images' as images
  from midwatch.events where seq > 0 and kind = 'batch' and ($1::bigint is null or run = $1::bigint)
), found as (
  select s.run, s.batch, s.images as said,
         case when s.images like '%:blocks:sha256:%' then ({blocks})
              -- Earlier versions kept a row for each, and before that wrote a sum of hashes.
              when s.images like '%:sha256:%' then ({rows})
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
  and not exists (select from said s where s.run = i.run and s.batch = i.batch and s.images not like '%:blocks:sha256:%')
group by i.run, i.batch
union all
select b.run::text, b.batch, null, sum(cardinality(b.keys)) || ' images in blocks'
from midwatch.image_blocks b
where ($1::bigint is null or b.run = $1::bigint)
  and not exists (select from said s where s.run = b.run and s.batch = b.batch and s.images like '%:blocks:sha256:%')
group by b.run, b.batch
order by 1, 2
