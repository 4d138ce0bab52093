-- Runs whose planned rows are not those of their intents. $1: this one; null: all.
with said as (
  select run, body::json ->> 'planned' as planned
  from midwatch.events where seq > 0 and kind = 'intent' and ($1::bigint is null or run = $1::bigint)
)
select s.run::text from said s
where s.planned is distinct from
      case when s.planned like '%:blocks:sha256:%' then ({blocks})
           -- Earlier versions kept a row for each, and before that wrote a sum of hashes.
           when s.planned like '%:sha256:%' then ({rows})
           else (select count(*) || ':' || coalesce(sum(hashint8extended(p.seq, p.step) + jsonb_hash_extended(p.key, 2)::numeric
                                                + jsonb_hash_extended(coalesce(p.before, 'null'), 0)
                                                + jsonb_hash_extended(coalesce(p.after, 'null'), 1))::text, '')
                 from midwatch.planned_rows p where p.run = s.run) end
union
select p.run::text from midwatch.planned_rows p
where ($1::bigint is null or p.run = $1::bigint)
  and not exists (select from said s where s.run = p.run and s.planned not like '%:blocks:sha256:%')
union
select b.run::text from midwatch.planned_blocks b
where ($1::bigint is null or b.run = $1::bigint)
  and not exists (select from said s where s.run = b.run and s.planned like '%:blocks:sha256:%')
order by 1
