//! Has the journal been altered? The chain, the rows behind it, and the journal copy are compared.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::engine::journal::runs::plan_of;
use crate::engine::model::error::Result;
use crate::engine::model::event::Event;
use crate::engine::model::identity::Identity;
use crate::engine::model::record::Altered;
use crate::engine::port::dialect::Dialect;
use crate::engine::port::journal_copy::JournalCopy;
use crate::engine::port::journal_sql::{EventFilter, RunFilter};
use crate::engine::port::reader::{ReadOptions, ReadTx, Reader, Snapshot};

/// Entries and runs read at a time.
const PAGE: u32 = 2_000;

/// What a look at the whole journal found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Entries looked at.
    pub entries: u64,
    /// Runs whose before-images were compared with their entries.
    pub runs: u64,
    /// Where the mirror is, if there is one.
    pub mirror: Option<String>,
    /// Entries of the mirror that were compared.
    pub mirrored: u64,
    /// What was compared, in words.
    pub compared: Vec<String>,
    /// What is wrong.
    pub findings: Vec<String>,
}

/// Looks at the whole chain, at the images behind it, and at the mirror.
pub async fn verify(facts: &dyn Reader, copy: &dyn JournalCopy, target: &Identity) -> Result<Verified> {
    let mut tx = facts
        .begin(ReadOptions {
            snapshot: Snapshot::Transaction,
            timeout: Some(Duration::from_hours(1)),
            ..ReadOptions::default()
        })
        .await?;
    let mut out = Verified::default();
    let mut mirrored: BTreeMap<i64, Event> = BTreeMap::new();
    if let Some(kept) = copy.read(target)? {
        out.mirror = Some(copy.place(target));
        mirrored = kept.into_iter().map(|e| (e.seq, e)).collect();
    }
    let sql = facts.dialect();
    chain(sql, &mut *tx, &mut out, &mut mirrored).await?;
    for (seq, event) in &mirrored {
        out.findings.push(format!("entry {seq} ({}) is in the mirror and not in the journal", event.kind));
    }
    rows(sql, &mut *tx, &mut out).await?;
    drop(tx);
    plans(facts, &mut out).await?;
    out.compared
        .push(format!("{} entries: numbers without gaps, each with the hash of the one before", out.entries));
    out.compared
        .push(format!("before-images of {} runs with the counts and sums in their entries", out.runs));
    out.compared.push(match &out.mirror {
        Some(place) => format!("{} entries with the mirror {place}", out.mirrored),
        None => "no mirror on this machine: a cut tail cannot be told".into(),
    });
    Ok(out)
}

async fn chain(
    sql: &dyn Dialect,
    tx: &mut dyn ReadTx,
    out: &mut Verified,
    mirrored: &mut BTreeMap<i64, Event>,
) -> Result<()> {
    let (mut prev, mut last) = (String::new(), 0_i64);
    loop {
        let filter = EventFilter { after: last, limit: Some(PAGE), ..EventFilter::default() };
        let events = sql.events(tx, &filter).await?;
        for event in &events {
            if event.seq != last + 1 {
                out.findings.push(format!("entries {} to {} are missing", last + 1, event.seq - 1));
            } else if event.prev != prev {
                out.findings
                    .push(format!("entry {} does not follow entry {last}: altered or replaced", event.seq));
            }
            if event.computed_hash() != event.hash {
                out.findings
                    .push(format!("entry {} ({}) was altered after it was written", event.seq, event.kind));
            }
            if let Some(kept) = mirrored.remove(&event.seq) {
                out.mirrored += 1;
                if kept != *event {
                    out.findings.push(format!("entry {} differs from the mirror", event.seq));
                }
            }
            out.entries += 1;
            prev.clone_from(&event.hash);
            last = event.seq;
        }
        if events.len() < PAGE as usize {
            break;
        }
    }
    if sql.head(tx).await? != Some((last, prev)) {
        out.findings
            .push(format!("the journal's head does not name entry {last}: the tail was cut or altered"));
    }
    Ok(())
}

/// What was approved is what the chained intents say.
async fn plans(facts: &dyn Reader, out: &mut Verified) -> Result<()> {
    let mut found = Vec::new();
    let mut before = None;
    loop {
        let mut tx = facts.begin(ReadOptions::default()).await?;
        let runs = facts.dialect().run_ids(&mut *tx, &RunFilter::Latest { before, limit: PAGE }).await?;
        drop(tx);
        for run in &runs {
            if let Err(e) = plan_of(facts, run).await {
                found.push(e.message);
            }
        }
        before = runs.last().and_then(|id| id.parse().ok());
        if runs.len() < PAGE as usize {
            break;
        }
    }
    // Oldest first.
    out.findings.extend(found.into_iter().rev());
    Ok(())
}

/// Every batch's entry says how many images it kept and the sum of their hashes; every intent the same of its rows.
async fn rows(sql: &dyn Dialect, tx: &mut dyn ReadTx, out: &mut Verified) -> Result<()> {
    let altered = sql.altered_rows(tx).await?;
    out.runs = altered.runs;
    out.findings.extend(altered.images.into_iter().map(|w| {
        let or = |t: Option<String>| t.unwrap_or_else(|| "nothing".into());
        format!(
            "images of run {} batch {}: its entry says {}, there is {}",
            w.run,
            w.batch,
            or(w.said),
            or(w.found)
        )
    }));
    let planned = altered.planned.iter();
    out.findings
        .extend(planned.map(|run| format!("the planned rows of run {run} are not those of its intent")));
    out.findings.extend(sql.altered(tx, None).await?.iter().map(Altered::text));
    Ok(())
}
