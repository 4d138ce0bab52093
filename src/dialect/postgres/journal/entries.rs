//! Entries of the journal's chain, and what they say of runs and rows.

use serde::Deserialize;

use super::{digests, install, objects, rows};

use crate::engine::model::error::Result;
use crate::engine::model::event::Event;
use crate::engine::model::installation::Installation;
use crate::engine::model::query::{Param, Sql};
use crate::engine::model::record::Altered;
use crate::engine::port::journal_sql::{AlteredRows, EventFilter};
use crate::engine::port::reader::ReadTx;

/// A run's row against its entries; `$1`: the run, null: all. What goes on is in both, in one transaction.
pub(in crate::dialect::postgres) const ALTERED_RUNS: &str = include_str!("altered_runs.sql");

/// Where the digests stand in the statements that compare them.
const BLOCKS: &str = "{blocks}";
const ROWS: &str = "{rows}";

/// An entry's signature. A journal of an earlier version has no such columns: there the names lead to those of `none`,
/// outside of the table.
const SIGNED: &str = "case when signature is not null then json_build_object('by', coalesce(installation, ''), \
    'target', coalesce(signed_for, ''), 'counter', coalesce(counter, 0), 'signature', signature) end";

/// What an entry's hash must be.
const HASH: &str = "encode(sha256(convert_to(e.prev || E'\\n' || e.seq || E'\\n' || e.at || E'\\n' || coalesce(e.run::text, '') \
    || E'\\n' || e.kind || E'\\n' || e.body, 'UTF8')), 'hex')";

/// The sum of a run's entries ([`Event::sum_of`]) before one; `$1`: the run, `$2`: that entry.
pub(in crate::dialect::postgres) fn sum_before() -> String {
    format!(
        "select encode(sha256(convert_to(coalesce(string_agg(e.seq || ' ' || {HASH} || E'\\n', '' order by e.seq), ''), \
         'UTF8')), 'hex') from midwatch.events e where e.run = $1 and e.seq < $2"
    )
}

pub(in crate::dialect::postgres) async fn installations(tx: &mut dyn ReadTx) -> Result<Vec<Installation>> {
    let there = "select 'yes' where to_regclass('midwatch.installations') is not null";
    if tx.texts(&Sql::new(there)).await?.is_empty() {
        return Ok(vec![]);
    }
    let sql = "select coalesce(fingerprint, '') as fingerprint, coalesce(public_key, '') as public_key, \
               coalesce(name, '') as name, coalesce(first_seen, '') as first_seen, replaces, proof, \
               coalesce(signature, '') as signature from midwatch.installations order by first_seen, fingerprint";
    tx.fetch(&Sql::new(sql)).await
}

pub(in crate::dialect::postgres) async fn runs_begun(tx: &mut dyn ReadTx) -> Result<Vec<(String, u64)>> {
    #[derive(Deserialize)]
    struct Begun {
        by: String,
        runs: u64,
    }
    let sql = "select e.installation as by, count(*) as runs from (values (null::text)) none(installation) \
               cross join lateral (select installation from midwatch.events \
               where kind = 'intent' and installation is not null) e group by 1 order by 1";
    let begun: Vec<Begun> = tx.fetch(&Sql::new(sql)).await?;
    Ok(begun.into_iter().map(|b| (b.by, b.runs)).collect())
}

pub(in crate::dialect::postgres) async fn events(
    tx: &mut dyn ReadTx,
    filter: &EventFilter,
) -> Result<Vec<Event>> {
    let mut conditions = vec!["seq > $1"];
    let mut params = vec![Param::Int(filter.after)];
    if let Some(run) = &filter.run {
        conditions.push("run = $2::bigint");
        params.push(run.as_str().into());
    }
    let kind = format!("kind = ${}", params.len() + 1);
    if let Some(of) = &filter.kind {
        conditions.push(&kind);
        params.push(of.as_str().into());
    }
    let limit = filter.limit.map_or_else(String::new, |n| format!(" limit {n}"));
    let sql = format!(
        "select e.* from (values (null::text, null::text, null::bigint, null::text)) \
         none(installation, signed_for, counter, signature) cross join lateral (\
         select seq, coalesce(at, '') as at, run::text as run, coalesce(kind, '') as kind, coalesce(body, '') as body, \
         coalesce(prev, '') as prev, coalesce(hash, '') as hash, {SIGNED} as signed \
         from midwatch.events where {} order by seq{limit}) e order by e.seq",
        conditions.join(" and ")
    );
    tx.fetch(&Sql::new(sql).bind(params)).await
}

pub(in crate::dialect::postgres) async fn head(tx: &mut dyn ReadTx) -> Result<Option<(i64, String)>> {
    #[derive(Deserialize)]
    struct Head {
        seq: i64,
        hash: String,
    }
    let heads: Vec<Head> = tx.fetch(&Sql::new("select seq, hash from midwatch.head")).await?;
    Ok(heads.into_iter().next().map(|h| (h.seq, h.hash)))
}

pub(in crate::dialect::postgres) async fn altered(
    tx: &mut dyn ReadTx,
    run: Option<&str>,
) -> Result<Vec<Altered>> {
    tx.fetch(&Sql::new(ALTERED_RUNS).bind([Param::Text(run.map(str::to_owned))])).await
}

pub(in crate::dialect::postgres) async fn altered_rows(
    tx: &mut dyn ReadTx,
    run: Option<&str>,
) -> Result<AlteredRows> {
    let blocks = has_blocks(tx).await?;
    let of = |sql: String| {
        let sql = if blocks { sql } else { rows::without_blocks(&sql) };
        Sql::new(sql).bind([Param::Text(run.map(str::to_owned))])
    };
    let count = "select count(distinct run)::text from midwatch.events \
                 where kind = 'batch' and ($1::bigint is null or run = $1::bigint)";
    let runs = tx.texts(&of(count.into())).await?;
    let images = include_str!("images.sql")
        .replace(BLOCKS, &digests::images("s.run", "s.batch"))
        .replace(ROWS, &digests::images_by_row("s.run", "s.batch"));
    let planned = include_str!("planned.sql")
        .replace(BLOCKS, &digests::planned("s.run"))
        .replace(ROWS, &digests::planned_by_row("s.run"));
    let images = tx.fetch(&of(images)).await?;
    let planned = tx.texts(&of(planned)).await?;
    Ok(AlteredRows {
        runs: runs.into_iter().flatten().next().and_then(|t| t.parse().ok()).unwrap_or(0),
        images,
        planned: planned.into_iter().flatten().collect(),
    })
}

/// A journal of an earlier version has none.
pub(super) async fn has_blocks(tx: &mut dyn ReadTx) -> Result<bool> {
    Ok(!tx.texts(&Sql::new(rows::HAS_BLOCKS)).await?.is_empty())
}

pub(in crate::dialect::postgres) async fn strays(tx: &mut dyn ReadTx) -> Result<Vec<String>> {
    // What constraints of the tables keep away, and who takes those away may add.
    let entries = "select format('run %s has entries and is not in the journal', e.run) from midwatch.events e \
               where e.run is not null and not exists (select from midwatch.runs r where r.id = e.run) group by e.run order by e.run";
    // What reads the journal in pages begins at number one, and so does the chain.
    let before = "select format('entry %s (%s) is before the first, number 1: added', e.seq, e.kind) from midwatch.events e \
                  where e.seq < 1 order by e.seq";
    let runs = "select format('run %s is in the journal %s times', r.id, count(*)) from midwatch.runs r \
                group by r.id having count(*) > 1 order by r.id";
    let head = "select format('the journal''s head has %s rows', count(*)) from midwatch.head h \
                having count(*) <> 1 or count(*) filter (where h.one) <> 1";
    let mut out = Vec::new();
    for sql in [entries, before, runs, head] {
        out.extend(tx.texts(&Sql::new(sql)).await?.into_iter().flatten());
    }
    out.extend(install::altered_files(tx).await?);
    out.extend(objects::added_triggers(tx).await?);
    Ok(out)
}

pub(in crate::dialect::postgres) async fn first_signed(tx: &mut dyn ReadTx) -> Result<Option<i64>> {
    let sql = "select min(e.seq)::text from (values (null::text)) none(signature) \
               cross join lateral (select seq from midwatch.events where seq > 0 and signature is not null order by seq limit 1) e";
    Ok(tx.texts(&Sql::new(sql)).await?.into_iter().flatten().next().and_then(|t| t.parse().ok()))
}

/// The first entry has number one: one before it breaks the chain wherever that is read from.
pub(in crate::dialect::postgres) async fn chain_break(tx: &mut dyn ReadTx, from: i64) -> Result<Option<i64>> {
    let sql = format!(
        "select min(e.seq)::text from (select *, lag(seq) over w as seq_before, lag(hash) over w as hash_before \
         from midwatch.events where seq >= $1 or seq < 1 window w as (order by seq)) e \
         where e.seq < 1 or e.hash is distinct from {HASH} or e.seq_before is not null \
         and (e.seq - 1 <> e.seq_before or e.prev is distinct from e.hash_before)"
    );
    let found = tx.texts(&Sql::new(sql).bind([Param::Int(from)])).await?;
    Ok(found.into_iter().flatten().next().and_then(|t| t.parse().ok()))
}

pub(in crate::dialect::postgres) async fn first_entries(tx: &mut dyn ReadTx) -> Result<Vec<(String, i64)>> {
    #[derive(Deserialize)]
    struct First {
        by: String,
        seq: i64,
    }
    let sql = "select e.installation as by, min(e.seq) as seq from midwatch.events e \
               where e.seq > 0 and e.installation is not null group by 1 order by 1";
    let first: Vec<First> = tx.fetch(&Sql::new(sql)).await?;
    Ok(first.into_iter().map(|f| (f.by, f.seq)).collect())
}
