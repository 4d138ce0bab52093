//! Digests of rows that stand behind an entry: sha256 over their texts in order, all columns, so bound to run, step,
//! batch and place. The server computes them; they stand in an entry that is signed.

/// Rows whose texts are put together at a time: planned rows may be millions, and a text has an end.
const BLOCK: u32 = 10_000;

/// Count and digest of the images of a batch. `run`, `batch`: expressions.
pub(in crate::dialect::postgres) fn images(run: &str, batch: &str) -> String {
    format!(
        "select count(*) || ':sha256:' || encode(sha256(convert_to(coalesce(string_agg(\
         row(i.run, i.step, i.batch, i.seq, i.relation, i.key, i.before, i.after)::text, e'\\n' \
         order by i.seq, i.relation collate \"C\", i.key, i.before, i.after), ''), 'UTF8')), 'hex') \
         from midwatch.images i where i.run = {run} and i.batch = {batch}"
    )
}

/// Count and digest of the planned rows of a run: the digests of their blocks, in order. `run`: an expression.
pub(in crate::dialect::postgres) fn planned(run: &str) -> String {
    format!(
        "select (select count(*) from midwatch.planned_rows c where c.run = {run}) || ':sha256:' || \
         encode(sha256(convert_to(coalesce(string_agg(b.digest, e'\\n' order by t.step, n.block), ''), 'UTF8')), 'hex') \
         from (select c.step, min(c.seq) as first, max(c.seq) as last from midwatch.planned_rows c \
               where c.run = {run} group by c.step) t \
         cross join lateral generate_series((t.first - 1) / {BLOCK}, (t.last - 1) / {BLOCK}) n(block) \
         cross join lateral (select encode(sha256(convert_to(coalesce(string_agg(\
           row(p.run, p.step, p.seq, p.unit, p.key, p.before, p.after)::text, e'\\n' order by p.seq), ''), 'UTF8')), 'hex') as digest \
           from midwatch.planned_rows p where p.run = {run} and p.step = t.step \
           and p.seq > n.block * {BLOCK} and p.seq <= (n.block + 1) * {BLOCK}) b"
    )
}

/// The same in the form that an entry has it in: earlier versions wrote a sum of hashes. `$1`: the run.
pub(in crate::dialect::postgres) fn planned_as(said: &str) -> String {
    if said.contains(":sha256:") { planned("$1") } else { PLANNED_SUM.to_owned() }
}

const PLANNED_SUM: &str = "
select count(*) || ':' || coalesce(sum(hashint8extended(seq, step) + jsonb_hash_extended(key, 2)::numeric
         + jsonb_hash_extended(coalesce(before, 'null'), 0) + jsonb_hash_extended(coalesce(after, 'null'), 1))::text, '')
from midwatch.planned_rows where run = $1";
