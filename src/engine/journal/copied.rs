//! The journal's copy on this machine against the journal, and what the copy lacks.

use std::collections::BTreeMap;

use crate::engine::journal::signatures::KnownKeys;
use crate::engine::model::error::Result;
use crate::engine::model::event::Event;
use crate::engine::model::identity::Identity;
use crate::engine::port::journal_copy::{CopiedEntry, JournalCopy, Mark};
use crate::engine::port::journal_sql::EventFilter;
use crate::engine::port::reader::{ReadOptions, Reader};
use crate::engine::port::signer::Signer;

/// Entries read at a time.
const PAGE: u32 = 2_000;

/// The copy, while the journal is read.
#[derive(Default)]
pub(super) struct CopyCheck {
    place: Option<String>,
    entries: BTreeMap<i64, CopiedEntry>,
    mark: Option<Mark>,
    last: i64,
    compared: u64,
    lacking: Vec<i64>,
    findings: Vec<String>,
    unobserved: Vec<String>,
}

impl CopyCheck {
    /// All of it, and how far the journal was seen.
    pub(super) fn read(copy: &dyn JournalCopy, target: &Identity) -> Self {
        let mut out = Self::default();
        match copy.mark(target) {
            Ok(mark) => out.mark = mark,
            Err(e) => out
                .findings
                .push(format!("how far the journal was seen from here cannot be read: {}", e.message)),
        }
        match copy.read(target) {
            Ok(Some(copied)) => {
                out.place = copy.place(target);
                out.last = copied.entries.keys().next_back().copied().unwrap_or(0);
                out.entries = copied.entries;
                out.findings.extend(copied.damage);
            }
            Ok(None) => {
                if let Some(mark) = out.mark.as_ref().filter(|m| m.copied > 0) {
                    out.findings.push(format!("the copy is gone: it had entries up to {}", mark.copied));
                }
            }
            Err(e) => out.unobserved.push(format!("the copy: {}", e.message)),
        }
        out
    }

    /// Entries after this one were signed, this one too.
    pub(super) fn signed_from(&self) -> Option<i64> {
        self.mark.as_ref().and_then(|m| m.signed_from)
    }

    /// The next entry of the journal; what is wrong with it. `own`: this installation wrote it.
    pub(super) fn next(&mut self, event: &Event, own: bool) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.mark.as_ref().is_some_and(|m| m.seq == event.seq && m.hash != event.hash) {
            wrong.push(format!(
                "entry {} is not the one that was seen here: the chain was computed anew, or an older state was restored",
                event.seq
            ));
        }
        match self.entries.remove(&event.seq) {
            Some(kept) => {
                self.compared += 1;
                if kept.sum != event.sum() {
                    wrong.push(format!("entry {} differs from the copy", event.seq));
                }
            }
            None if own && self.place.is_some() => self.lacking.push(event.seq),
            None => {}
        }
        wrong
    }

    /// The journal ends with this entry, and was seen with a later one.
    pub(super) fn shorter(&self, last: i64) -> Option<String> {
        let mark = self.mark.as_ref().filter(|m| m.seq > last)?;
        Some(format!(
            "the journal ends with entry {last}, and entry {} was seen here: it was cut, or an older state was restored",
            mark.seq
        ))
    }

    /// What the look at the copy found.
    pub(super) fn ended(mut self) -> CopyVerdict {
        let copied = self.mark.as_ref().map_or(self.last, |m| m.copied.max(self.last));
        let (gone, behind): (Vec<i64>, Vec<i64>) = self.lacking.into_iter().partition(|seq| *seq <= copied);
        if !gone.is_empty() {
            self.findings.push(format!("the copy lacks {}, which this installation wrote", ranges(&gone)));
        }
        let strange = self.entries.iter().map(|(seq, entry)| {
            format!("entry {seq} ({}) is in the copy and not in the journal", entry.kind)
        });
        self.findings.extend(strange);
        CopyVerdict {
            place: self.place,
            compared: self.compared,
            findings: self.findings,
            unobserved: self.unobserved,
            behind: (!behind.is_empty())
                .then(|| format!("the copy is behind by {}: the next run adds that", ranges(&behind))),
        }
    }
}

/// What a look at the copy found.
pub(super) struct CopyVerdict {
    /// Where it is; none: there is none.
    pub(super) place: Option<String>,
    /// Entries that were compared.
    pub(super) compared: u64,
    /// What is wrong.
    pub(super) findings: Vec<String>,
    /// What could not be read.
    pub(super) unobserved: Vec<String>,
    /// What the next run adds.
    pub(super) behind: Option<String>,
}

/// `entries 3, 5 to 9`.
fn ranges(seqs: &[i64]) -> String {
    let parts = seqs.chunk_by(|a, b| a + 1 == *b).map(|run| match run {
        [first, .., last] => format!("{first} to {last}"),
        [only] => only.to_string(),
        [] => String::new(),
    });
    let word = if seqs.len() == 1 { "entry" } else { "entries" };
    format!("{word} {}", parts.collect::<Vec<_>>().join(", "))
}

/// Makes the copy whole before a run begins: half a line is taken away, and entries of this installation that are
/// missing are written again. What was done, in words.
pub(in crate::engine) async fn made_ready(
    facts: &dyn Reader,
    copy: &dyn JournalCopy,
    signer: &dyn Signer,
    target: &Identity,
) -> Result<Vec<String>> {
    let mut said = Vec::new();
    let half = copy.ready(target)?;
    said.extend(half.map(|what| format!("the journal's copy had {what}")));
    let copied = copy.read(target)?.unwrap_or_default();
    let last = copied.entries.keys().next_back().copied().unwrap_or(0);
    // One without gaps lacks its end at most.
    let whole = !copied.has_gaps && copied.damage.is_empty();
    let mark = copy.mark(target)?.filter(|m| m.copied == last && whole);
    // Where the journal cannot be read the run does not get far, and says so; the next one looks again.
    let missing =
        lacking(facts, signer, &copied.entries, mark.map_or(0, |m| m.copied)).await.unwrap_or_default();
    if missing.is_empty() && copied.damage.is_empty() {
        return Ok(said);
    }
    copy.mend(target, &missing)?;
    if !missing.is_empty() {
        let seqs: Vec<i64> = missing.iter().map(|e| e.seq).collect();
        said.push(format!("the journal's copy lacked {}: written again", ranges(&seqs)));
    }
    if !copied.damage.is_empty() {
        said.push(format!(
            "the journal's copy was damaged ({}); it is kept beside the new one",
            copied.damage.join("; ")
        ));
    }
    Ok(said)
}

/// Entries that are signed with our key and not in the copy.
async fn lacking(
    facts: &dyn Reader,
    signer: &dyn Signer,
    copied: &BTreeMap<i64, CopiedEntry>,
    mut after: i64,
) -> Result<Vec<Event>> {
    let sql = facts.dialect();
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let keys = KnownKeys::read(sql, &mut *tx, signer).await?;
    let mut out = Vec::new();
    loop {
        let filter = EventFilter { after, limit: Some(PAGE), ..EventFilter::default() };
        let page = sql.events(&mut *tx, &filter).await?;
        let all = page.len() < PAGE as usize;
        after = page.last().map_or(after, |e| e.seq);
        let missing =
            |e: &Event| !copied.contains_key(&e.seq) && e.computed_hash() == e.hash && keys.is_own(e);
        out.extend(page.into_iter().filter(missing));
        if all {
            return Ok(out);
        }
    }
}
