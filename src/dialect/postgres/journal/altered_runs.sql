-- What a run's row says against what its entries say. $1: this run; null: all.
-- Entries are numbered from one: what is before that was added, and says nothing of a run.
with entries as not materialized (select run, seq, kind, body from midwatch.events where seq > 0)
select r.id::text as run, w.what, w.found, w.said
from midwatch.runs r
left join lateral (select e.body::jsonb as body from entries e
                   where e.run = r.id and e.kind = 'intent' order by e.seq limit 1) i on true
left join lateral (select count(*) as batches, sum((e.body::jsonb ->> 'applied')::bigint) as applied,
                          sum((e.body::jsonb ->> 'drifted')::bigint) as drifted
                   from entries e where e.run = r.id and e.kind = 'batch') b on true
left join lateral (select e.body::jsonb as body from entries e
                   where e.run = r.id and e.kind = 'batch' order by e.seq desc limit 1) l on true
left join lateral (select sum((e.body::jsonb ->> 'statements')::bigint) as statements
                   from entries e where e.run = r.id and e.kind = 'step') s on true
left join lateral (select e.body::jsonb ->> 'to' as upto from entries e
                   where e.run = r.id and e.kind in ('batch', 'step') order by e.seq desc limit 1) p on true
left join lateral (select e.body::jsonb as body from entries e
                   where e.run = r.id and e.kind = 'outcome' order by e.seq desc limit 1) v on true
-- Who works on it: earlier versions did not write that down.
left join lateral (select e.body::jsonb as body from entries e
                   where e.run = r.id and e.kind in ('intent', 'resumed', 'reconnected')
                   order by e.seq desc limit 1) t on true
left join lateral (select max((e.body::jsonb ->> 'undone_fence')::bigint) as fence
                   from midwatch.runs x join entries e on e.run = x.id and e.kind = 'intent'
                   where x.undoes = r.id) u on true
left join lateral (select max((e.body::jsonb ->> 'step')::int) as step from entries e
                   where e.run = r.id and e.kind in ('batch', 'step')) z on true
-- What comes after an outcome has taken it back.
left join lateral (select e.kind, e.body::jsonb as body from entries e
                   where e.run = r.id and e.kind in ('outcome', 'resumed', 'reconnected')
                   order by e.seq desc limit 1) o on true
cross join lateral (values
  ('intent', case when i.body is null then 'missing' else 'there' end, 'there'),
  ('operation', r.operation, i.body ->> 'operation'),
  ('name', r.name, i.body ->> 'name'),
  ('target', r.target, i.body ->> 'target'),
  ('digest', r.digest, i.body ->> 'digest'),
  ('operator', r.operator, i.body ->> 'by'),
  ('start', r.started_at::text, i.body ->> 'began'),
  ('rows planned', r.planned::text, i.body ->> 'rows'),
  ('run undone', r.undoes::text, i.body ->> 'undoes'),
  ('plan', case when r.plan = r.plan_text::jsonb then 'as approved' else 'altered' end, 'as approved'),
  ('batches', r.batch::text, b.batches::text),
  ('rows left alone', r.drifted::text, coalesce(b.drifted, 0)::text),
  ('rows changed', r.applied::text,
   (coalesce(b.applied, 0) + coalesce(s.statements, 0)
    + case when r.plan #>> '{steps,0,action,do}' = 'bootstrap' then jsonb_array_length(r.plan #> '{steps,0,statements}') else 0 end)::text),
  -- A step that is done with begins at 0 again; batches and portions of statements say how far they came.
  ('position', case when r.checkpoint = 0 and r.step > coalesce((l.body ->> 'step')::int, -1) then 'after ' || coalesce(l.body ->> 'to', '0')
                    else 'after ' || r.checkpoint end, 'after ' || coalesce(p.upto, l.body ->> 'to', '0')),
  ('outcome', r.outcome, case when o.kind = 'outcome' then o.body ->> 'outcome' else 'running' end),
  ('proof', r.verified::text, v.body ->> 'verified'),
  ('way on', r.resumable::text, case when o.kind = 'outcome' then o.body ->> 'resumable' else 'false' end),
  ('plan''s text', case when i.body ? 'text_sha256' then encode(sha256(convert_to(r.plan_text, 'UTF8')), 'hex') end,
   i.body ->> 'text_sha256'),
  ('fence', case when i.body ? 'fence' then r.fence::text end,
   case when i.body ? 'fence' then greatest((t.body ->> 'fence')::bigint, u.fence)::text end),
  ('lock''s session', case when t.body ? 'lock_pid' then r.lock_pid::text end, t.body ->> 'lock_pid'),
  ('sessions', case when t.body ? 'backends' then r.backends::text end, t.body ->> 'backends'),
  -- What a run says of itself while it goes on has no entry: who looks at it sees it, nothing is decided by it.
  ('message', case when o.kind = 'outcome' then r.message end, case when o.kind = 'outcome' then o.body ->> 'message' end),
  ('batch size', case when o.kind = 'outcome' then r.batch_rows::text end, null),
  ('end', case when o.kind is distinct from 'outcome' or o.body ? 'ended' then r.ended_at::text end,
   case when o.kind = 'outcome' then o.body ->> 'ended' end),
  ('last sign of life', case when o.kind = 'outcome' and o.body ? 'beat' then r.beat_at::text end,
   case when o.kind = 'outcome' then o.body ->> 'beat' end),
  ('step', case when o.kind = 'outcome' and o.body ? 'step' then r.step::text
                when r.step < z.step then 'before ' || z.step end,
   case when o.kind = 'outcome' and o.body ? 'step' then o.body ->> 'step' end),
  ('checkpoint', case when o.kind = 'outcome' and o.body ? 'checkpoint' then r.checkpoint::text end,
   case when o.kind = 'outcome' then o.body ->> 'checkpoint' end)
) as w(what, found, said)
where ($1::bigint is null or r.id = $1::bigint) and w.found is distinct from w.said
order by r.id
