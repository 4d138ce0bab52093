//! Has the journal been altered? The chain and its signatures, the rows behind it, and the journal copy are compared.
//! Nothing that is found ends the look: each part is read by itself, and what cannot be read is said beside the rest.

use std::time::Duration;

use serde::Serialize;

use crate::engine::journal::copied::{CopyCheck, is_own_here, seen_elsewhere};
use crate::engine::journal::runs::plan_of;
use crate::engine::journal::signatures::{ACCEPTED, EntryWriter, KnownKeys, Signatures};
use crate::engine::model::cause::Cause;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::event::Event;
use crate::engine::model::identity::Identity;
use crate::engine::model::journal_state::JournalState;
use crate::engine::model::json::field;
use crate::engine::model::record::Altered;
use crate::engine::port::journal_copy::JournalCopy;
use crate::engine::port::journal_sql::{AlteredRows, EventFilter, RunFilter};
use crate::engine::port::reader::{ReadOptions, ReadTx, Reader, Snapshot};
use crate::engine::port::signer::Signer;

/// Entries and runs read at a time.
const PAGE: u32 = 2_000;
/// What a look at the whole journal found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Entries looked at.
    pub entries: u64,
    /// Entries without a signature, of earlier versions.
    pub unsigned: u64,
    /// Who wrote the others.
    pub writers: Vec<EntryWriter>,
    /// Runs whose before-images were compared with their entries.
    pub runs: u64,
    /// Where the copy is, if there is one.
    pub mirror: Option<String>,
    /// Entries of the copy that were compared.
    pub mirrored: u64,
    /// What was compared, in words.
    pub compared: Vec<String>,
    /// Entries that the copy lacks and that the next run adds, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<String>,
    /// What is wrong.
    pub findings: Vec<String>,
    /// Some of that is what the journal and the copy, or the highest entry seen, differ in: it can be accepted.
    #[serde(skip)]
    pub differs: bool,
    /// Where the journal was accepted as it was, although entries that had been seen were not in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<String>,
    /// What nobody can tell yet, for example whose key it is.
    pub unknown: Vec<String>,
    /// What could not be read, so that nothing is known of it.
    pub unobserved: Vec<String>,
}

/// A journal and what this machine knows of it.
pub struct JournalView<'a> {
    /// Reads it.
    pub facts: &'a dyn Reader,
    /// Its copy.
    pub copy: &'a dyn JournalCopy,
    /// The keys.
    pub signer: &'a dyn Signer,
    /// Whose it is.
    pub target: &'a Identity,
    /// How its tables stand.
    pub state: &'a JournalState,
    /// The server follows another one, and may not have all of it yet.
    pub standby: bool,
}

/// Looks at the whole chain, at the images behind it, and at the copy.
pub async fn verify(journal: &JournalView<'_>) -> Verified {
    let mut out = Verified::default();
    match journal.state {
        JournalState::Damaged { missing } => {
            out.findings.extend(missing.iter().map(|what| format!("{what} is missing")));
        }
        JournalState::Altered { what } => out.findings.extend_from_slice(what),
        JournalState::Foreign { why } => {
            out.findings.extend_from_slice(why);
            out.unobserved.extend(journal.state.unread());
            return out;
        }
        _ => {}
    }
    kept(journal, &mut out).await;
    let runs = match run_ids(journal.facts).await {
        Ok(runs) => runs,
        Err(e) => {
            out.failed("the runs", &e);
            vec![]
        }
    };
    rows(journal, &mut out, &runs).await;
    parts_of_runs(journal, &mut out, &runs).await;
    if let Err(e) = strays(journal, &mut out).await {
        out.failed("what belongs to no run", &e);
    }
    for run in &runs {
        if let Err(e) = plan_of(journal.facts, run).await {
            out.unread(e.message, e.cause);
        }
    }
    out.compared
        .push(format!("before-images of {} runs with the counts and sums in their entries", out.runs));
    out.compared.push(match &out.mirror {
        Some(place) => format!("{} entries with the copy {place}", out.mirrored),
        None => "no entry with a copy: this machine has none".into(),
    });
    out
}

/// The chain, and what is kept of it on this machine.
async fn kept(journal: &JournalView<'_>, out: &mut Verified) {
    let elsewhere = seen_elsewhere(journal.facts, journal.copy, journal.target).await.unwrap_or_default();
    let mut copy = CopyCheck::read(journal.copy, journal.target, elsewhere.as_ref(), journal.standby);
    let is_standby_of = copy.is_standby_of();
    let read = chain(journal, out, &mut copy).await;
    if let Err(e) = &read {
        out.failed("the chain of entries", e);
    }
    let copied = copy.ended(read.is_ok());
    let is_its = copied.findings.is_empty()
        && copied.unknown.is_empty()
        && copied.replaced.is_empty()
        && elsewhere.is_none()
        && !is_standby_of;
    if let (Ok(Some((last, hash))), true) = (&read, is_its)
        && let Err(e) = journal.copy.saw(journal.target, *last, hash)
    {
        out.unobserved.push(e.message);
    }
    out.mirror = copied.place;
    out.mirrored = copied.compared;
    out.not_as_seen(copied.findings);
    out.unknown.extend(copied.unknown);
    out.unknown.extend(copied.replaced);
    out.unobserved.extend(copied.unobserved);
    out.behind = copied.behind;
}

impl Verified {
    /// A part that could not be read: the server's, the network's or the role's affair, or the journal's own.
    fn failed(&mut self, what: &str, e: &Error) {
        self.unread(format!("{what}: {}", e.message), e.cause);
    }

    /// Findings of the journal against what is kept of it here.
    fn not_as_seen(&mut self, found: impl IntoIterator<Item = String>) {
        let before = self.findings.len();
        self.findings.extend(found);
        self.differs |= self.findings.len() > before;
    }

    fn unread(&mut self, text: String, cause: Cause) {
        let elsewhere =
            [Cause::ConnectionLost, Cause::Cancelled, Cause::NotAllowed, Cause::Full, Cause::Busy];
        if elsewhere.contains(&cause) { self.unobserved.push(text) } else { self.findings.push(text) }
    }

    fn chain_compared(&mut self, first_signed: Option<i64>) {
        self.compared.push(format!(
            "{} entries: numbers without gaps, each with the hash of the one before",
            self.entries
        ));
        let signed = self.entries - self.unsigned;
        self.compared.push(match first_signed {
            Some(first) if self.unsigned > 0 => format!(
                "signatures of {signed} entries; those before entry {first} are chained, not signed: an earlier version wrote them"
            ),
            Some(_) => format!("signatures of {signed} entries"),
            None => "no entry is signed: earlier versions wrote them, and whoever can write there can forge them".into(),
        });
    }
}

async fn begin(facts: &dyn Reader) -> Result<Box<dyn ReadTx>> {
    let (snapshot, timeout) = (Snapshot::Transaction, Some(Duration::from_hours(1)));
    facts.begin(ReadOptions { snapshot, timeout, ..ReadOptions::default() }).await
}

/// Number and hash of the last entry, where nothing is wrong with the chain.
async fn chain(
    journal: &JournalView<'_>,
    out: &mut Verified,
    copy: &mut CopyCheck,
) -> Result<Option<(i64, String)>> {
    let sql = journal.facts.dialect();
    let mut tx = begin(journal.facts).await?;
    let (keys, unread) = KnownKeys::read_what_can_be(sql, &mut *tx, journal.signer).await?;
    out.unobserved.extend(unread);
    out.findings.extend(keys.findings());
    let before = out.findings.len();
    let mut signatures = Signatures::new(&keys, journal.target, copy.signed_from());
    let (mut prev, mut last) = (String::new(), 0_i64);
    loop {
        let filter = EventFilter { after: last, limit: Some(PAGE), ..EventFilter::default() };
        let events = sql.events(&mut *tx, &filter).await?;
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
            out.findings.extend(signatures.next(event));
            out.not_as_seen(copy.next(event, is_own_here(&keys, event, journal.target)));
            out.accepted.extend(accepted_text(event));
            out.entries += 1;
            prev.clone_from(&event.hash);
            last = event.seq;
        }
        if events.len() < PAGE as usize {
            break;
        }
    }
    match copy.shorter(last) {
        Some(why) if journal.standby => {
            out.unknown.push(format!("{why}; a standby may not have received it yet"));
        }
        why => out.not_as_seen(why),
    }
    if sql.head(&mut *tx).await? != Some((last, prev.clone())) {
        out.findings
            .push(format!("the journal's head does not name entry {last}: the tail was cut or altered"));
    }
    out.findings.extend(signatures.findings());
    out.unknown.extend(signatures.unknown());
    let (unsigned, first) = signatures.unsigned();
    out.unsigned = unsigned;
    out.writers = signatures.into_writers();
    out.chain_compared(first);
    Ok((out.findings.len() == before && out.entries > 0).then_some((last, prev)))
}

/// An entry that accepts the journal as it was; whether its signature is believed is said beside it.
fn accepted_text(event: &Event) -> Option<String> {
    if event.kind != ACCEPTED {
        return None;
    }
    let body = event.parsed();
    let text = |name: &str| field(&body, name).as_str().map(str::to_owned).unwrap_or_default();
    let run = event.run.as_deref().unwrap_or_default();
    let entry = field(&body, "entry").as_i64().unwrap_or_default();
    Some(format!(
        "entry {} (run {run}, {}): {} accepted the journal as it was with entry {entry}, although {}",
        event.seq,
        event.at,
        text("by"),
        text("found")
    ))
}

/// The numbers of all runs, oldest first; also of those whose rows were altered so that they cannot be read.
async fn run_ids(facts: &dyn Reader) -> Result<Vec<String>> {
    let (mut out, mut before) = (Vec::new(), None);
    loop {
        let mut tx = facts.begin(ReadOptions::default()).await?;
        let page = facts.dialect().run_ids(&mut *tx, &RunFilter::Latest { before, limit: PAGE }).await?;
        before = page.last().and_then(|id| id.parse().ok());
        let all = page.len() < PAGE as usize;
        out.extend(page);
        if all {
            out.reverse();
            return Ok(out);
        }
    }
}

/// Every batch's entry says how many images it kept and what they add up to; every intent the same of its rows. Where
/// one cell keeps all of it from being compared, each run is looked at by itself.
async fn rows(journal: &JournalView<'_>, out: &mut Verified, runs: &[String]) {
    match altered_rows(journal, None).await {
        Ok(altered) => out.altered_rows(altered),
        Err(e) if e.cause == Cause::ConnectionLost => out.failed("rows of runs", &e),
        Err(_) => {
            for run in runs {
                match altered_rows(journal, Some(run)).await {
                    Ok(altered) => out.altered_rows(altered),
                    Err(e) => out.failed(&format!("rows of run {run}"), &e),
                }
            }
        }
    }
}

async fn altered_rows(journal: &JournalView<'_>, run: Option<&str>) -> Result<AlteredRows> {
    journal.facts.dialect().altered_rows(&mut *begin(journal.facts).await?, run).await
}

impl Verified {
    fn altered_rows(&mut self, altered: AlteredRows) {
        self.runs += altered.runs;
        self.findings.extend(altered.images.into_iter().map(|w| {
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
        self.findings
            .extend(planned.map(|run| format!("the planned rows of run {run} are not those of its intent")));
    }
}

/// What the rows of runs say, against their entries.
async fn parts_of_runs(journal: &JournalView<'_>, out: &mut Verified, runs: &[String]) {
    match altered(journal, None).await {
        Ok(altered) => out.findings.extend(altered.iter().map(Altered::text)),
        Err(e) if e.cause == Cause::ConnectionLost => out.failed("runs and their entries", &e),
        Err(_) => {
            for run in runs {
                match altered(journal, Some(run)).await {
                    Ok(altered) => out.findings.extend(altered.iter().map(Altered::text)),
                    Err(e) => out.failed(&format!("run {run} and its entries"), &e),
                }
            }
        }
    }
}

async fn altered(journal: &JournalView<'_>, run: Option<&str>) -> Result<Vec<Altered>> {
    journal.facts.dialect().altered(&mut *begin(journal.facts).await?, run).await
}

async fn strays(journal: &JournalView<'_>, out: &mut Verified) -> Result<()> {
    out.findings.extend(journal.facts.dialect().strays(&mut *begin(journal.facts).await?).await?);
    Ok(())
}
