//! The journal's copy on this machine against the journal, and what the copy lacks.

use std::collections::BTreeMap;

use crate::engine::journal::signatures::{ACCEPTED, KnownKeys, Signed, SignedElsewhere};
use crate::engine::model::error::Result;
use crate::engine::model::event::Event;
use crate::engine::model::identity::Identity;
use crate::engine::model::installation::Standing;
use crate::engine::port::journal_copy::{CopiedEntry, JournalCopy, Mark};
use crate::engine::port::journal_sql::EventFilter;
use crate::engine::port::reader::{ReadOptions, Reader, Snapshot};
use crate::engine::port::signer::Signer;

/// Entries read at a time.
const PAGE: u32 = 2_000;

/// Differences that are told one by one.
const NAMED: usize = 20;

/// The copy, while the journal is read.
#[derive(Default)]
pub(super) struct CopyCheck {
    place: Option<String>,
    entries: BTreeMap<i64, CopiedEntry>,
    mark: Option<Mark>,
    target: Identity,
    /// What was seen at another address of a server that says the same of itself, and is not here.
    same_server: Option<Mark>,
    /// What was seen on other servers, and that it is here.
    elsewhere: Vec<(Mark, bool)>,
    /// The same at this address, when another server was there.
    before: Vec<(Mark, bool)>,
    is_passing: bool,
    /// The highest entry that was seen is in the journal, or another one has its number.
    met: bool,
    /// The server may not have all of it yet.
    standby: bool,
    last: i64,
    /// The last entry of the journal that was read.
    read_to: i64,
    compared: u64,
    /// Entries that this installation has written for this database.
    own: u64,
    lacking: Vec<i64>,
    findings: Vec<String>,
    unobserved: Vec<String>,
}

impl CopyCheck {
    /// All of it, and how far the journal was seen. `elsewhere`: what is kept is of another one ([`seen_elsewhere`]).
    pub(super) fn read(
        copy: &dyn JournalCopy,
        target: &Identity,
        elsewhere: Option<&Mark>,
        standby: bool,
    ) -> Self {
        let mut out =
            Self { target: target.clone(), is_passing: copy.is_passing(), standby, ..Self::default() };
        let others = copy.elsewhere(target).into_iter().map(|mark| (mark, false));
        (out.before, out.elsewhere) = others.partition(|(mark, _)| mark.named(target).is_some());
        if let Some(mark) = elsewhere {
            out.same_server = Some(mark.clone());
            return out;
        }
        match copy.mark(target) {
            Ok(mark) => out.mark = mark,
            Err(e) => out.findings.push(format!(
                "how far the journal was seen from this machine cannot be read: {}",
                e.message
            )),
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

    /// It was seen at other addresses only, and this one leads to a standby, which may lag at another time.
    pub(super) fn is_standby_of(&self) -> bool {
        self.standby && self.mark.as_ref().is_some_and(|m| !m.is_at(&self.target))
    }

    /// Entries after this one were signed, this one too.
    pub(super) fn signed_from(&self) -> Option<i64> {
        self.mark.as_ref().and_then(|m| m.signed_from)
    }

    /// The next entry of the journal; what is wrong with it. `own`: this installation wrote it, for this database.
    pub(super) fn next(&mut self, event: &Event, own: bool) -> Vec<String> {
        let mut wrong = Vec::new();
        self.own += u64::from(own);
        self.read_to = event.seq;
        for (mark, is_here) in self.elsewhere.iter_mut().chain(&mut self.before) {
            *is_here |= mark.seq == event.seq && mark.hash == event.hash;
        }
        if let Some(mark) = self.mark.as_ref().filter(|m| m.seq == event.seq) {
            self.met = true;
            wrong.extend((mark.hash != event.hash).then(|| replaced_text(event.seq)));
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
        Some(shorter_text(last, mark.seq))
    }

    /// What the look at the copy found. What the journal lacks is known only where it was read to its end.
    pub(super) fn ended(mut self, read_to_end: bool) -> CopyVerdict {
        let copied = self.mark.as_ref().map_or(self.last, |m| m.copied.max(self.last));
        let lacking = std::mem::take(&mut self.lacking);
        let (gone, behind): (Vec<i64>, Vec<i64>) = lacking.into_iter().partition(|seq| *seq <= copied);
        if !gone.is_empty() {
            self.findings.push(format!("the copy lacks {}, which this installation wrote", ranges(&gone)));
        }
        let mut unknown = Vec::new();
        if read_to_end {
            let to_come = |seq: i64| self.standby && seq > self.read_to;
            let strange = self.entries.iter().filter(|(seq, _)| !to_come(**seq)).map(|(seq, entry)| {
                format!("entry {seq} ({}) is in the copy and not in the journal", entry.kind)
            });
            self.findings.extend(strange);
            self.findings.extend(self.missed());
            match &self.same_server {
                Some(mark) if self.standby => {
                    unknown.push(format!("{}; a standby may not have received it yet", not_here_text(mark)));
                }
                Some(mark) => unknown.push(two_causes_text(mark, "The next run here begins")),
                None if self.mark.is_none() && self.last == 0 && self.own > 0 => {
                    self.nothing_is_kept(&mut unknown);
                }
                None => {}
            }
        }
        let replaced = if read_to_end && self.mark.is_none() { self.replaced() } else { vec![] };
        CopyVerdict {
            place: self.place,
            replaced,
            compared: self.compared,
            findings: self.findings,
            unknown,
            unobserved: self.unobserved,
            behind: (!behind.is_empty())
                .then(|| format!("the copy is behind by {}: the next run adds that", ranges(&behind))),
        }
    }

    /// The highest entry that was seen is neither in the journal nor in the copy, and later ones are there.
    fn missed(&self) -> Option<String> {
        let seq = self.mark.as_ref()?.seq;
        let is_missed = seq > 0 && seq < self.read_to && !self.met && !self.entries.contains_key(&seq);
        is_missed.then(|| missed_text(seq))
    }

    /// What was seen at this address before its server was replaced, and is not here.
    fn replaced(&self) -> Vec<String> {
        let gone = self.before.iter().filter(|(mark, is_here)| mark.seq > 0 && !is_here);
        gone.map(|(mark, _)| replaced_server_text(mark, &self.target)).collect()
    }

    /// This installation has written here, and nothing of it is kept on this machine.
    fn nothing_is_kept(&mut self, unknown: &mut Vec<String>) {
        if self.elsewhere.iter().chain(&self.before).any(|(_, is_here)| *is_here) {
            return;
        }
        unknown.extend(self.elsewhere.iter().map(|(mark, _)| not_here_text(mark)));
        match (self.is_passing, self.elsewhere.is_empty() && self.before.is_empty()) {
            (true, _) => unknown.push(format!(
                "{}; the key outlives the state directory (MIDWATCH_KEY_FILE)",
                nothing_kept_text(self.own)
            )),
            (false, true) => self.findings.push(nothing_kept_text(self.own)),
            (false, false) => {}
        }
    }
}

/// An entry has the number of one that was seen, and is another.
fn replaced_text(seq: i64) -> String {
    format!(
        "entry {seq} is not the one that was seen from this machine: the chain was computed anew, or an older state was restored (a \
         failover to a standby that lagged is one)"
    )
}

/// What was seen at another address is not in this journal.
fn not_here_text(mark: &Mark) -> String {
    let at = mark.seen.as_ref().map_or("another address", |seen| seen.address.as_str());
    format!(
        "entry {} was seen at {at} and is not here: this is a copy of that database, or it was cut or restored",
        mark.seq
    )
}

/// The same, with what to do about it. `begins`: what a run does with the record of it on this machine.
fn two_causes_text(mark: &Mark, begins: &str) -> String {
    let at = mark.seen.as_ref().map_or("the other address", |seen| seen.address.as_str());
    format!(
        "{}. {begins} a record of its own on this machine; if this is not a copy, change nothing and compare it with {at}",
        not_here_text(mark)
    )
}

fn missed_text(seq: i64) -> String {
    format!("entry {seq} was seen from this machine, and is not in the journal")
}

/// The server at this address is another one since.
fn replaced_server_text(mark: &Mark, target: &Identity) -> String {
    let seen = mark.named(target).or(mark.seen.as_ref());
    let at = seen.map_or("this address", |seen| seen.address.as_str());
    let system = seen.and_then(|seen| seen.system_identifier.as_deref());
    let (then, cause) = if system == target.system_identifier.as_deref() {
        let directory = seen.and_then(|seen| seen.data_directory.as_deref());
        (
            directory.map_or_else(String::new, |directory| {
                format!(", when its server's data was in {directory},")
            }),
            "this is a copy of that database, or it was cut, or an older state was restored (a failover to a standby that \
             lagged is one)",
        )
    } else {
        (
            format!(", when its server had system identifier {},", system.unwrap_or("unknown")),
            "this is another database, or it was restored to an older state in another cluster",
        )
    };
    format!("entry {} was seen at {at}{then} and is not here: {cause}", mark.seq)
}

/// Entries that were seen are not there any more.
fn shorter_text(last: i64, seen: i64) -> String {
    format!(
        "the journal ends with entry {last}, and entry {seen} was seen from this machine: it was cut, or an older state was restored (a \
         failover to a standby that lagged is one)"
    )
}

fn nothing_kept_text(own: u64) -> String {
    let (entries, are) = if own == 1 { ("entry", "is") } else { ("entries", "are") };
    format!(
        "{own} {entries} {are} signed by this installation, and neither the journal's copy nor the highest entry seen is on \
         this machine: removal of the latest entries cannot be detected"
    )
}

/// What a look at the copy found.
pub(super) struct CopyVerdict {
    /// Where it is; none: there is none.
    pub(super) place: Option<String>,
    /// Entries that were compared.
    pub(super) compared: u64,
    /// What is wrong.
    pub(super) findings: Vec<String>,
    /// What nobody can tell from here.
    pub(super) unknown: Vec<String>,
    /// What was seen at this address when it led to another server, and is not here.
    pub(super) replaced: Vec<String>,
    /// What could not be read.
    pub(super) unobserved: Vec<String>,
    /// What the next run adds.
    pub(super) behind: Option<String>,
}

/// What a look at one entry says.
#[derive(Debug)]
pub(in crate::engine) enum JournalSeen {
    /// The journal is as it was last seen from this machine, or was never seen.
    As,
    /// What is kept is of the same server at another address, and its last entry is not here: see [`seen_elsewhere`].
    Elsewhere(Mark),
    /// It is not, for this reason.
    Differs(String),
}

/// A journal and what is kept of it on this machine.
#[derive(Clone, Copy)]
pub(in crate::engine) struct KeptJournal<'a> {
    pub(in crate::engine) facts: &'a dyn Reader,
    pub(in crate::engine) copy: &'a dyn JournalCopy,
    pub(in crate::engine) signer: &'a dyn Signer,
    pub(in crate::engine) target: &'a Identity,
}

/// Was this entry written by this installation for this database?
pub(super) fn is_own_here(keys: &KnownKeys<'_>, event: &Event, target: &Identity) -> bool {
    event.signed.as_ref().is_some_and(|s| target.is_signed_as(&s.target)) && keys.is_own(event)
}

fn is_believed(keys: &KnownKeys<'_>, event: &Event) -> bool {
    matches!(keys.judge(event), Signed::By { standing: Standing::Own | Standing::Trusted, .. })
}

/// Is the entry of this mark in the journal?
async fn is_there(facts: &dyn Reader, mark: &Mark) -> Result<bool> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let at = EventFilter { after: mark.seq - 1, limit: Some(1), ..EventFilter::default() };
    let there = facts.dialect().events(&mut *tx, &at).await?;
    Ok(there.first().is_some_and(|e| e.seq == mark.seq && e.hash == mark.hash))
}

/// What is kept of the same server at another address, where its last entry is not in this journal: a standby that lags, or
/// a copy of the disk, says of itself what the server does. That is neither missed here nor changed.
pub(in crate::engine) async fn seen_elsewhere(
    facts: &dyn Reader,
    copy: &dyn JournalCopy,
    target: &Identity,
) -> Result<Option<Mark>> {
    let Ok(Some(mark)) = copy.mark(target) else { return Ok(None) };
    if mark.seq == 0 || mark.is_at(target) || is_there(facts, &mark).await? {
        return Ok(None);
    }
    Ok(Some(mark))
}

impl KeptJournal<'_> {
    /// Gives all entries of the journal, oldest first; number and hash of the last.
    async fn read(&self, next: &mut (dyn FnMut(&KnownKeys<'_>, &Event) + Send)) -> Result<(i64, String)> {
        let sql = self.facts.dialect();
        let snapshot = ReadOptions { snapshot: Snapshot::Transaction, ..ReadOptions::default() };
        let mut tx = self.facts.begin(snapshot).await?;
        let keys = KnownKeys::read(sql, &mut *tx, self.signer).await?;
        let mut last = (0, String::new());
        loop {
            let filter = EventFilter { after: last.0, limit: Some(PAGE), ..EventFilter::default() };
            let page = sql.events(&mut *tx, &filter).await?;
            for event in &page {
                next(&keys, event);
            }
            let all = page.len() < PAGE as usize;
            last = page.into_iter().next_back().map_or(last, |e| (e.seq, e.hash));
            if all {
                return Ok(last);
            }
        }
    }

    /// The journal against what is kept of it here. One row is read, where anything is kept; `may_be_absent`: nothing needs
    /// to be.
    pub(in crate::engine) async fn seen(&self, may_be_absent: bool) -> Result<JournalSeen> {
        let differs = |why: Option<String>| why.map_or(JournalSeen::As, JournalSeen::Differs);
        let Some(mark) = self.copy.mark(self.target)? else {
            return Ok(differs(match self.replaced_server().await? {
                None if !may_be_absent => self.nothing_is_kept().await?,
                why => why,
            }));
        };
        if mark.seq == 0 {
            // A run has begun here, and no entry of it has come back.
            return Ok(JournalSeen::As);
        }
        if mark.is_at(self.target) {
            return Ok(differs(self.not_as_marked(&mark).await?));
        }
        Ok(if is_there(self.facts, &mark).await? { JournalSeen::As } else { JournalSeen::Elsewhere(mark) })
    }

    /// Why the journal is not the one of this mark; none: it is.
    async fn not_as_marked(&self, mark: &Mark) -> Result<Option<String>> {
        let sql = self.facts.dialect();
        let mut tx = self.facts.begin(ReadOptions::default()).await?;
        let at = EventFilter { after: mark.seq - 1, limit: Some(1), ..EventFilter::default() };
        let there = sql.events(&mut *tx, &at).await?;
        Ok(match there.first() {
            Some(e) if e.seq == mark.seq && e.hash == mark.hash => None,
            Some(e) if e.seq == mark.seq => Some(replaced_text(mark.seq)),
            Some(_) => Some(missed_text(mark.seq)),
            None => {
                let head = sql.head(&mut *tx).await?.unwrap_or_default();
                Some(shorter_text(head.0.min(mark.seq - 1), mark.seq))
            }
        })
    }

    /// What was seen at this address, when another server was there, and is not in this journal.
    async fn replaced_server(&self) -> Result<Option<String>> {
        for mark in self.copy.elsewhere(self.target) {
            if mark.seq > 0 && mark.named(self.target).is_some() && !is_there(self.facts, &mark).await? {
                return Ok(Some(replaced_server_text(&mark, self.target)));
            }
        }
        Ok(None)
    }

    async fn nothing_is_kept(&self) -> Result<Option<String>> {
        if self.copy.is_passing() || !self.copy.elsewhere(self.target).is_empty() {
            return Ok(None);
        }
        let mut own = 0;
        self.read(&mut |keys, event| own += u64::from(is_own_here(keys, event, self.target))).await?;
        Ok((own > 0).then(|| nothing_kept_text(own)))
    }

    /// Every difference between the journal and what is kept of it here.
    pub(in crate::engine) async fn differences(&self) -> Result<Differences> {
        let elsewhere = seen_elsewhere(self.facts, self.copy, self.target).await?;
        let mut check = CopyCheck::read(self.copy, self.target, elsewhere.as_ref(), false);
        let seen = check.mark.as_ref().map(|m| m.seq);
        let (mut found, mut of_others) = (Vec::new(), SignedElsewhere::default());
        let (mut signed_from, mut last, mut has_gaps) = (None, 0, false);
        let mut next = |keys: &KnownKeys<'_>, event: &Event| {
            has_gaps |= event.seq != last + 1;
            last = event.seq;
            let own = is_own_here(keys, event, self.target);
            found.extend(check.next(event, own));
            if signed_from.is_none() && own {
                signed_from = Some(event.seq);
            }
            match &event.signed {
                Some(s) if !self.target.is_signed_as(&s.target) => of_others.add(&s.target, event.seq),
                Some(_) if event.kind == ACCEPTED && is_believed(keys, event) => of_others.accepted_by(event),
                _ => {}
            }
        };
        let (entry, hash) = self.read(&mut next).await?;
        found.extend(check.shorter(entry));
        let ended = check.ended(true);
        found.extend(ended.findings.into_iter().chain(ended.replaced).chain(of_others.texts()));
        let more = found.len().saturating_sub(NAMED);
        found.truncate(NAMED);
        if more > 0 {
            found.push(format!("{more} more differences"));
        }
        Ok(Differences { found, entry, hash, seen, signed_from, has_gaps })
    }
}

/// A journal against what is kept of it.
pub(in crate::engine) struct Differences {
    /// What differs, the first of it, in words.
    pub(in crate::engine) found: Vec<String>,
    /// The journal's last entry.
    pub(in crate::engine) entry: i64,
    /// Its hash.
    pub(in crate::engine) hash: String,
    /// The highest entry that was seen, where that is known.
    pub(in crate::engine) seen: Option<i64>,
    /// The first entry that this installation has signed.
    pub(in crate::engine) signed_from: Option<i64>,
    /// Entries are missing before the last one.
    pub(in crate::engine) has_gaps: bool,
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
/// missing are written again. `elsewhere`: what is kept is of another journal ([`seen_elsewhere`]). What was done, in words.
pub(in crate::engine) async fn made_ready(
    facts: &dyn Reader,
    copy: &dyn JournalCopy,
    signer: &dyn Signer,
    target: &Identity,
    elsewhere: Option<&Mark>,
) -> Result<Vec<String>> {
    let mut said = Vec::new();
    if let Some(mark) = elsewhere {
        copy.part(target)?;
        said.push(two_causes_text(mark, "This run has begun"));
    }
    said.extend(copy.ready(target)?);
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
