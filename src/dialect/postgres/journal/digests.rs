//! Digests of rows that stand behind an entry: sha256 over all columns of a block, so bound to run, step, batch and place.
//! The server computes them; they stand in an entry that is signed. Entries of earlier versions have other forms.

use super::rows::BLOCK_FORM;
use crate::engine::model::error::{Class, Error, Result};

/// Rows whose texts are put together at a time, in the form before blocks: planned rows may be millions, and a text has
/// an end.
const ROWS: u32 = 10_000;

/// What a digest ends with where blocks of others are among those that it should be of.
const OTHERS: &str = " and others";

/// Count and digest of blocks of images, and of planned rows: aggregates over `b`.
const IMAGES: &str = "sha256(record_send(row(b.run, b.step, b.batch, b.relation, b.seqs, b.keys, b.before, b.after))), '' \
    order by b.seqs is null, b.relation collate \"C\", b.keys, b.before, b.after";
const PLANNED: &str = "sha256(record_send(row(b.run, b.step, b.first, b.last, b.unit, b.keys, b.before, b.after))), '' \
    order by b.step, b.first";

fn blocks(aggregated: &str) -> String {
    format!(
        "coalesce(sum(cardinality(b.keys)), 0) || '{BLOCK_FORM}' || encode(sha256(coalesce(string_agg({aggregated}), '')), 'hex')"
    )
}

/// Says so where a block was written by another transaction than this one.
fn and_others() -> String {
    format!("case when bool_or(b.xmin <> pg_current_xact_id()::xid) then '{OTHERS}' else '' end")
}

/// Count and digest of the images of a batch. `run`, `batch`: expressions.
pub(in crate::dialect::postgres) fn images(run: &str, batch: &str) -> String {
    let digest = blocks(IMAGES);
    format!("select {digest} from midwatch.image_blocks b where b.run = {run} and b.batch = {batch}")
}

/// The same in the transaction that has written them, for [`own`]. `$1`: the run, `$2`: the batch.
pub(in crate::dialect::postgres) fn images_written() -> String {
    let (digest, others) = (blocks(IMAGES), and_others());
    format!("select {digest} || {others} from midwatch.image_blocks b where b.run = $1 and b.batch = $2")
}

/// Count and digest of the planned rows of a run. `run`: an expression.
pub(in crate::dialect::postgres) fn planned(run: &str) -> String {
    let digest = blocks(PLANNED);
    format!("select {digest} from midwatch.planned_blocks b where b.run = {run}")
}

/// The same in the transaction that has written them, for [`own`]. `$1`: the run.
pub(in crate::dialect::postgres) fn planned_written() -> String {
    let (digest, others) = (blocks(PLANNED), and_others());
    format!("select {digest} || {others} from midwatch.planned_blocks b where b.run = $1")
}

/// The digest of what this transaction has written, of which `what` is the name. Numbers of runs and batches are known in
/// advance: what others have put there before is not signed.
pub(in crate::dialect::postgres) fn own(digest: String, what: impl FnOnce() -> String) -> Result<String> {
    if !digest.ends_with(OTHERS) {
        return Ok(digest);
    }
    let message = format!("{} were there before it: the journal was altered", what());
    Err(Error::new(Class::Refused, message).hint("nothing of it was written; midwatch journal verify"))
}

/// The images of a batch that has a row for each.
pub(super) fn images_by_row(run: &str, batch: &str) -> String {
    format!(
        "select count(*) || ':sha256:' || encode(sha256(convert_to(coalesce(string_agg(\
         row(i.run, i.step, i.batch, i.seq, i.relation, i.key, i.before, i.after)::text, e'\\n' \
         order by i.seq, i.relation collate \"C\", i.key, i.before, i.after), ''), 'UTF8')), 'hex') \
         from midwatch.images i where i.run = {run} and i.batch = {batch}"
    )
}

/// The planned rows of a run that has a row for each: the digests of so many at a time, in order.
pub(super) fn planned_by_row(run: &str) -> String {
    format!(
        "select (select count(*) from midwatch.planned_rows c where c.run = {run}) || ':sha256:' || \
         encode(sha256(convert_to(coalesce(string_agg(b.digest, e'\\n' order by t.step, n.block), ''), 'UTF8')), 'hex') \
         from (select c.step, min(c.seq) as first, max(c.seq) as last from midwatch.planned_rows c \
               where c.run = {run} group by c.step) t \
         cross join lateral generate_series((t.first - 1) / {ROWS}, (t.last - 1) / {ROWS}) n(block) \
         cross join lateral (select encode(sha256(convert_to(coalesce(string_agg(\
           row(p.run, p.step, p.seq, p.unit, p.key, p.before, p.after)::text, e'\\n' order by p.seq), ''), 'UTF8')), 'hex') as digest \
           from midwatch.planned_rows p where p.run = {run} and p.step = t.step \
           and p.seq > n.block * {ROWS} and p.seq <= (n.block + 1) * {ROWS}) b"
    )
}

/// What a run's planned rows add up to, in the form that its intent has it in; rows of another form are added to it, so
/// that it is another one. `$1`: the run.
pub(in crate::dialect::postgres) fn planned_as(said: &str) -> String {
    let (digest, others) = if said.contains(BLOCK_FORM) {
        (planned("$1"), "planned_rows")
    } else if said.contains(":sha256:") {
        (planned_by_row("$1"), "planned_blocks")
    } else {
        (PLANNED_SUM.to_owned(), "planned_blocks")
    };
    format!(
        "select ({digest}) || case when exists (select from midwatch.{others} o where o.run = $1) then '{OTHERS}' else '' end"
    )
}

const PLANNED_SUM: &str = "
select count(*) || ':' || coalesce(sum(hashint8extended(seq, step) + jsonb_hash_extended(key, 2)::numeric
         + jsonb_hash_extended(coalesce(before, 'null'), 0) + jsonb_hash_extended(coalesce(after, 'null'), 1))::text, '')
from midwatch.planned_rows where run = $1";
