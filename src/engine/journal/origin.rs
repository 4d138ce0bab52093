//! Whose plan a run carries out: the journal is data that others can write, and a plan in it is an order only where this
//! installation has signed it, and every entry of the run.

use std::collections::BTreeMap;

use crate::engine::journal::signatures::{KnownKeys, Signed};
use crate::engine::model::error::Result;
use crate::engine::model::event::Event;
use crate::engine::model::identity::Identity;
use crate::engine::model::installation::{Pin, Standing, plan_text};
use crate::engine::model::json::field;
use crate::engine::model::plan::Plan;
use crate::engine::port::journal_copy::{CopiedEntry, JournalCopy, Mark};
use crate::engine::port::journal_sql::EventFilter;
use crate::engine::port::reader::{ReadOptions, ReadTx, Reader, Snapshot};
use crate::engine::port::signer::Signer;

/// Who began a run with this plan, or went on with it. The later one counts: each is believed less than the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanOrigin {
    /// This installation, and nobody else has written an entry of the run.
    Own,
    /// Another one, whose key the operator trusts, has a part in it.
    Trusted {
        /// Its fingerprint and name.
        who: String,
    },
    /// Nobody who is known here: an earlier version signed nothing.
    Stranger {
        /// What is lacking.
        why: String,
    },
    /// Another one, whose key is not confirmed here, has a part in it.
    Unconfirmed {
        /// Its fingerprint.
        fingerprint: String,
        /// What it has written.
        why: String,
    },
    /// What the journal says is not what was written.
    Altered {
        /// What was found.
        why: String,
    },
}

impl PlanOrigin {
    /// What is said of a plan that is not ours; none: it is.
    pub fn note(&self) -> Option<String> {
        match self {
            Self::Own => None,
            Self::Trusted { who } => {
                Some(format!("the journal's plan is that of installation {who}, not of this one alone"))
            }
            Self::Stranger { why } => Some(format!(
                "the journal's plan carries no signature of this installation ({why}): read all of it"
            )),
            Self::Unconfirmed { why, .. } => Some(format!(
                "the key that signed the journal's plan is not confirmed here ({why}): read all of it"
            )),
            Self::Altered { why } => Some(format!(
                "the journal does not say what was written ({why}): nothing in it confirms its plan; read all of it"
            )),
        }
    }

    fn is_believed(&self) -> bool {
        matches!(self, Self::Own | Self::Trusted { .. })
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Own => 0,
            Self::Trusted { .. } => 1,
            Self::Stranger { .. } => 2,
            Self::Unconfirmed { .. } => 3,
            Self::Altered { .. } => 4,
        }
    }
}

fn stranger(why: impl Into<String>) -> PlanOrigin {
    PlanOrigin::Stranger { why: why.into() }
}

fn altered(why: impl Into<String>) -> PlanOrigin {
    PlanOrigin::Altered { why: why.into() }
}

/// What the entries of a run say of it.
pub(in crate::engine) struct RunOrigin {
    /// Whose it is.
    pub(in crate::engine) plan: PlanOrigin,
    /// The journal is not the one that was seen here: it may have been restored.
    pub(in crate::engine) not_as_seen: bool,
    /// The entry by which it has ended for good, as somebody says who is believed here.
    pub(in crate::engine) ended: Option<i64>,
    /// Why the before-images of a batch are not known to be what was there: whoever writes an entry puts images behind it.
    pub(in crate::engine) images: Option<UnbelievedImages>,
    /// The entries that were looked at ([`Event::sum_of`]).
    pub(in crate::engine) entries: String,
}

/// What this machine knows: its keys, and how far it has seen the journal.
pub(in crate::engine) struct Known<'a> {
    pub(in crate::engine) signer: &'a dyn Signer,
    pub(in crate::engine) copy: &'a dyn JournalCopy,
    pub(in crate::engine) target: &'a Identity,
}

/// Who has signed that this run carries out this plan? Each entry of the run is bound to it, to its place in the chain and
/// to this database, so neither a plan nor an entry can be taken from another run; and the chain is whole from the run's
/// first entry to the last one that was seen here, so none was taken away.
pub(in crate::engine) async fn of_run(
    facts: &dyn Reader,
    known: &Known<'_>,
    run: &str,
    plan: &Plan,
) -> Result<RunOrigin> {
    let sql = facts.dialect();
    let options = ReadOptions { snapshot: Snapshot::Transaction, ..ReadOptions::default() };
    let mut tx = facts.begin(options).await?;
    let filter = EventFilter { run: Some(run.to_owned()), ..EventFilter::default() };
    let entries = sql.events(&mut *tx, &filter).await?;
    let keys = KnownKeys::read(sql, &mut *tx, known.signer).await?;
    let mark = known.copy.mark(known.target)?;
    let signed_from = sql.first_signed(&mut *tx).await?;
    let signed_from = signed_from.into_iter().chain(mark.as_ref().and_then(|m| m.signed_from)).min();
    let from = entries.first().map_or(1, |e| e.seq);
    let not_as_seen = not_as_seen(facts, &mut *tx, mark.as_ref().filter(|m| m.is_at(known.target))).await?;
    let broken = match &not_as_seen {
        Some(_) => None,
        None => sql.chain_break(&mut *tx, from).await?,
    };
    let broken = broken.map(|seq| format!("entry {seq} of the journal does not follow the one before"));
    drop(tx);
    let unsigned = entries.iter().any(|e| e.signed.is_none());
    let copied =
        if unsigned { known.copy.read(known.target)?.unwrap_or_default().entries } else { BTreeMap::new() };
    let mut judged =
        JudgedEntries { known, keys: &keys, plan, signed_from, copied: &copied, began: false, ended: None };
    let (mut origin, mut images) = (PlanOrigin::Own, None);
    for entry in &entries {
        let of = judged.next(entry);
        if images.as_ref().is_none_or(|i: &UnbelievedImages| i.elsewhere) {
            images = judged.unbelieved_batch(entry, &of).or(images);
        }
        if of.rank() > origin.rank() {
            origin = of;
        }
    }
    if !judged.began && origin.is_believed() {
        origin = stranger("no entry of the run that is signed names it");
    }
    if let Some(why) = not_as_seen.clone().or(broken) {
        origin = altered(why);
    }
    let ended = judged.ended.map(|end| end.seq);
    let not_as_seen = not_as_seen.is_some();
    Ok(RunOrigin { plan: origin, not_as_seen, ended, images, entries: Event::sum_of(&entries) })
}

/// Is the last entry that was seen here missing, or another?
async fn not_as_seen(facts: &dyn Reader, tx: &mut dyn ReadTx, mark: Option<&Mark>) -> Result<Option<String>> {
    let sql = facts.dialect();
    if let Some(mark) = mark.filter(|m| m.seq > 0) {
        let at = EventFilter { after: mark.seq - 1, limit: Some(1), ..EventFilter::default() };
        let there = sql.events(tx, &at).await?;
        if there.first().is_none_or(|e| e.seq != mark.seq || e.hash != mark.hash) {
            return Ok(Some(format!(
                "entry {} of the journal is not the one that was seen from this machine",
                mark.seq
            )));
        }
    }
    Ok(None)
}

/// Why before-images are not known to be what was there.
#[derive(Debug, Clone)]
pub(in crate::engine) struct UnbelievedImages {
    /// In words.
    pub(in crate::engine) why: String,
    /// Somebody who is believed wrote them, for a database that this one is a copy of, or was before it was renamed or
    /// upgraded.
    pub(in crate::engine) elsewhere: bool,
}

/// The entries of a run, one after the other.
struct JudgedEntries<'a> {
    known: &'a Known<'a>,
    keys: &'a KnownKeys<'a>,
    plan: &'a Plan,
    /// Entries after this one are signed.
    signed_from: Option<i64>,
    copied: &'a BTreeMap<i64, CopiedEntry>,
    /// Somebody who is believed says that the run carries out the plan.
    began: bool,
    /// The outcome after which nothing is left to do.
    ended: Option<&'a Event>,
}

impl<'a> JudgedEntries<'a> {
    fn next(&mut self, entry: &'a Event) -> PlanOrigin {
        let by = self.writer(entry);
        let believed = by.is_believed();
        if let Some(end) = self.ended.take() {
            // Where the answer to the outcome's COMMIT was lost, its writer comes back and writes it once more.
            if entry.kind != "reconnected" || !believed || !self.are_of_one(entry, end) {
                self.ended = Some(end);
                let what = format!("the run ended with entry {}, and entry {} was added", end.seq, entry.seq);
                return altered(what);
            }
        }
        self.began |= believed && begins_with(entry, self.plan);
        if believed && entry.is_final() {
            self.ended = Some(entry);
        }
        by
    }

    fn are_of_one(&self, entry: &Event, end: &Event) -> bool {
        match (&entry.signed, &end.signed) {
            (Some(one), Some(other)) => self.keys.are_of_one(&one.by, &other.by),
            (one, other) => one.is_none() && other.is_none(),
        }
    }

    fn writer(&self, entry: &Event) -> PlanOrigin {
        let what = format!("entry {} ({})", entry.seq, entry.kind);
        if entry.computed_hash() != entry.hash {
            return altered(format!("{what} was altered"));
        }
        let (who, standing) = match self.keys.judge(entry) {
            Signed::Wrong { why } => return altered(format!("{what}: {why}")),
            Signed::Not => return self.unsigned(entry, &what),
            Signed::By { who, standing } => (who, standing),
        };
        let Some(signed) = &entry.signed else { return altered(what) };
        if !self.known.target.is_signed_as(&signed.target) {
            return altered(format!("{what} is signed for another database"));
        }
        match standing {
            Standing::Own => PlanOrigin::Own,
            Standing::Trusted => PlanOrigin::Trusted { who },
            Standing::Unconfirmed => PlanOrigin::Unconfirmed {
                fingerprint: signed.by.clone(),
                why: format!("installation {who} has written {what}, whose key is not confirmed here"),
            },
        }
    }

    fn is_copied(&self, entry: &Event) -> bool {
        self.copied.get(&entry.seq).is_some_and(|kept| kept.sum == entry.sum())
    }

    /// Why the images that the entry of a batch tells of are not believed; none: it is of somebody who is, or of an earlier
    /// version and in this machine's copy.
    fn unbelieved_batch(&self, entry: &Event, by: &PlanOrigin) -> Option<UnbelievedImages> {
        if entry.kind != "batch" {
            return None;
        }
        let why = match by {
            PlanOrigin::Own | PlanOrigin::Trusted { .. } => return None,
            PlanOrigin::Unconfirmed { fingerprint, why } => {
                format!("{why} (midwatch key trust {fingerprint})")
            }
            PlanOrigin::Stranger { .. } if self.is_copied(entry) => return None,
            PlanOrigin::Stranger { why } => format!("{why}: undo it where it was applied"),
            PlanOrigin::Altered { why } => why.clone(),
        };
        let (why, elsewhere) = match (self.signed_elsewhere(entry), &entry.signed) {
            (Some(Standing::Unconfirmed), Some(signed)) => {
                let key = &signed.by;
                (format!("{why}, with a key that is not confirmed here (midwatch key trust {key})"), false)
            }
            (standing, _) => (why, standing.is_some()),
        };
        Some(UnbelievedImages { why, elsewhere })
    }

    /// Whose it is, if it is as somebody wrote it for another database.
    fn signed_elsewhere(&self, entry: &Event) -> Option<Standing> {
        let signed = entry.signed.as_ref()?;
        if entry.computed_hash() != entry.hash || self.known.target.is_signed_as(&signed.target) {
            return None;
        }
        match self.keys.judge(entry) {
            Signed::By { standing, .. } => Some(standing),
            Signed::Wrong { .. } | Signed::Not => None,
        }
    }

    /// Earlier versions signed plans and no entries: what they wrote here stands in this machine's copy, with the number
    /// of its run.
    fn unsigned(&self, entry: &Event, what: &str) -> PlanOrigin {
        if self.signed_from.is_some_and(|first| entry.seq > first) {
            return altered(format!("{what} is not signed"));
        }
        if !self.is_copied(entry) {
            return stranger(format!("{what} is not signed, and not in this machine's copy"));
        }
        let signed = self.plan.signature.as_ref();
        if signed.is_some_and(|s| self.known.signer.is_of_earlier_version(&self.plan.digest, s)) {
            PlanOrigin::Own
        } else {
            stranger("its plan was not made here")
        }
    }
}

/// It says that the run carries out this plan.
fn begins_with(entry: &Event, plan: &Plan) -> bool {
    matches!(entry.kind.as_str(), "intent" | "resumed")
        && field(&entry.parsed(), "digest").as_str() == Some(&plan.digest)
}

/// Was a plan's file made here, with a key that was replaced since? It may have been replaced because others have it.
pub(in crate::engine) fn is_of_replaced_key(signer: &dyn Signer, plan: &Plan) -> Result<bool> {
    let Some((by, _)) = plan.signature.as_ref().and_then(|s| s.split_once(':')) else { return Ok(false) };
    let is_own = signer.own()?.is_some_and(|own| own.fingerprint == by);
    let is_its = |p: &Pin| p.fingerprint == by && p.standing == Standing::Own;
    Ok(!is_own && signer.pins()?.iter().any(is_its))
}

/// Whose signature a plan's file carries.
pub(in crate::engine) fn of_file(signer: &dyn Signer, plan: &Plan) -> Result<PlanOrigin> {
    let Some(signature) = &plan.signature else {
        // Where no key can be kept plans have none.
        return Ok(if signer.own()?.is_none() { PlanOrigin::Own } else { stranger("it is not signed") });
    };
    if signer.is_of_earlier_version(&plan.digest, signature) {
        return Ok(PlanOrigin::Own);
    }
    let (by, signature) = signature.split_once(':').unwrap_or_default();
    if let Some(own) = signer.own()?.filter(|own| own.fingerprint == by) {
        let is_its = signer.verifies(&own.public_key, &plan_text(&plan.digest), signature);
        return Ok(if is_its {
            PlanOrigin::Own
        } else {
            stranger("its signature is not that of its content")
        });
    }
    let pin = signer.pins()?.into_iter().find(|p| p.fingerprint == by);
    let key = pin.as_ref().and_then(|p| p.public_key.as_ref());
    let is_its = key.is_some_and(|key| signer.verifies(key, &plan_text(&plan.digest), signature));
    Ok(match pin {
        Some(pin) if is_its && pin.standing != Standing::Unconfirmed => {
            PlanOrigin::Trusted { who: format!("{} ({})", pin.fingerprint, pin.name) }
        }
        _ => stranger("another installation has made it"),
    })
}
