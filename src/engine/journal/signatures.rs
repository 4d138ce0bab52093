//! Who wrote an entry, and how far that is believed here.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use crate::engine::model::error::{Error, Result};
use crate::engine::model::event::Event;
use crate::engine::model::identity::Identity;
use crate::engine::model::installation::{Installation, Pin, Standing, replacement_text};
use crate::engine::model::json::field;
use crate::engine::port::dialect::Dialect;
use crate::engine::port::read_tx::ReadTx;
use crate::engine::port::reader::{ReadOptions, Reader};
use crate::engine::port::signer::Signer;

/// The kind of an entry by which an operator accepts the journal as it is.
pub(in crate::engine) const ACCEPTED: &str = "accepted";

/// The keys that a journal names, beside those of this machine.
pub struct KnownKeys<'s> {
    signer: &'s dyn Signer,
    listed: Vec<Installation>,
    pins: Vec<Pin>,
    own: Option<Installation>,
    /// Keys that others came after, and since which entry.
    retired: BTreeMap<String, ReplacedKey>,
}

/// A key that counts no more.
struct ReplacedKey {
    /// The fingerprint of the one that came after it.
    by: String,
    /// The first entry of that one, or of one that came after it in turn.
    from: i64,
}

/// An installation that has written into a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownInstallation {
    /// Its row.
    pub installation: Installation,
    /// How far it is believed.
    pub standing: Standing,
    /// Runs that it has begun.
    pub runs: u64,
}

/// Who has written into a journal; those who are new are remembered.
pub async fn installations(facts: &dyn Reader, signer: &dyn Signer) -> Result<Vec<KnownInstallation>> {
    let sql = facts.dialect();
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let keys = KnownKeys::read(sql, &mut *tx, signer).await?;
    let begun = sql.runs_begun(&mut *tx).await?;
    let known = |i: &Installation| KnownInstallation {
        standing: keys.standing(&i.fingerprint),
        runs: begun.iter().find(|(by, _)| *by == i.fingerprint).map_or(0, |(_, runs)| *runs),
        installation: i.clone(),
    };
    Ok(keys.listed.iter().map(known).collect())
}

/// What an entry's signature says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signed {
    /// Nothing: an earlier version wrote it, or somebody took the signature away.
    Not,
    /// It is that of an installation.
    By {
        /// Its fingerprint and name.
        who: String,
        /// How far it is believed.
        standing: Standing,
    },
    /// It is not that of the entry.
    Wrong {
        /// The reason.
        why: String,
    },
}

impl<'s> KnownKeys<'s> {
    /// Reads the keys that the journal names. Those that are new are remembered, unconfirmed.
    pub async fn read(sql: &dyn Dialect, tx: &mut dyn ReadTx, signer: &'s dyn Signer) -> Result<Self> {
        let listed = sql.installations(tx).await?;
        signer.pin(&listed)?;
        let mut keys =
            Self { listed, pins: signer.pins()?, own: signer.own()?, signer, retired: BTreeMap::new() };
        keys.retire(sql, tx).await?;
        Ok(keys)
    }

    async fn retire(&mut self, sql: &dyn Dialect, tx: &mut dyn ReadTx) -> Result<()> {
        let replaced = self.replaced();
        // Nobody else asks the journal for it.
        if replaced.values().any(|new| self.listed.iter().any(|i| i.fingerprint == *new)) {
            let first: BTreeMap<String, i64> = sql.first_entries(tx).await?.into_iter().collect();
            self.retired = retired(&replaced, &first);
        }
        Ok(())
    }

    /// Each key that another came after, which it has signed, with that one. Our own key is in use.
    fn replaced(&self) -> BTreeMap<String, String> {
        let own = self.own.as_ref().map(|own| own.fingerprint.as_str());
        let mut out = BTreeMap::new();
        for pin in &self.pins {
            out.extend(pin.replaced_by.clone().map(|new| (pin.fingerprint.clone(), new)));
        }
        // A list of keys that an earlier version kept does not say it.
        for i in self.listed.iter().chain(&self.own).filter(|i| self.is_signed_replacement(i)) {
            let Some(old) = i.replaces.clone() else { continue };
            out.entry(old).or_insert_with(|| i.fingerprint.clone());
        }
        out.retain(|old, _| own != Some(old.as_str()));
        out
    }

    /// The same for who only looks: keys of this machine that cannot be read are as if there were none, and that is said.
    pub async fn read_what_can_be(
        sql: &dyn Dialect,
        tx: &mut dyn ReadTx,
        signer: &'s dyn Signer,
    ) -> Result<(Self, Vec<String>)> {
        let listed = sql.installations(tx).await?;
        let mut unread = Vec::new();
        let mut told = |e: Error| {
            if !unread.contains(&e.message) {
                unread.push(e.message);
            }
        };
        signer.pin(&listed).unwrap_or_else(&mut told);
        let pins = signer.pins().map_err(&mut told).unwrap_or_default();
        let own = signer.own().map_err(&mut told).unwrap_or_default();
        let mut keys = Self { signer, listed, pins, own, retired: BTreeMap::new() };
        keys.retire(sql, tx).await?;
        Ok((keys, unread))
    }

    fn key(&self, fingerprint: &str) -> Option<(String, String)> {
        let known = |i: &Installation| i.fingerprint == fingerprint && i.is_named_by_its_key();
        let listed = self.listed.iter().chain(&self.own).find(|i| known(i));
        listed.map(|i| (i.public_key.clone(), i.shown())).or_else(|| {
            let pin = self.pins.iter().find(|p| p.fingerprint == fingerprint)?;
            Some((pin.public_key.clone()?, format!("{} ({})", pin.fingerprint, pin.name)))
        })
    }

    fn standing(&self, fingerprint: &str) -> Standing {
        if self.own.as_ref().is_some_and(|own| own.fingerprint == fingerprint) {
            return Standing::Own;
        }
        let pin = self.pins.iter().find(|p| p.fingerprint == fingerprint);
        pin.map_or(Standing::Unconfirmed, |p| p.standing)
    }

    /// Are these keys one, or both this installation's? It may have replaced one by the other between two entries.
    pub(super) fn are_of_one(&self, a: &str, b: &str) -> bool {
        a == b || [a, b].iter().all(|key| self.standing(key) == Standing::Own)
    }

    /// Has this installation written it?
    pub fn is_own(&self, event: &Event) -> bool {
        let mine = |by: &str| self.standing(by) == Standing::Own;
        event.signed.as_ref().is_some_and(|s| mine(&s.by))
            && matches!(self.judge(event), Signed::By { standing: Standing::Own, .. })
    }

    /// Who wrote this entry?
    pub fn judge(&self, event: &Event) -> Signed {
        let Some(signed) = &event.signed else { return Signed::Not };
        let Some((key, who)) = self.key(&signed.by) else {
            return Signed::Wrong {
                why: format!("the key {} that it names is not in the journal", signed.by),
            };
        };
        if !self.signer.verifies(&key, &signed.text(&event.hash), &signed.signature) {
            return Signed::Wrong { why: format!("its signature is not that of {who}") };
        }
        if let Some(ReplacedKey { by, from }) = self.retired.get(&signed.by).filter(|r| event.seq >= r.from) {
            let why = format!(
                "the key of {who} that signed it was replaced by {by}, which signs since entry {from}"
            );
            return Signed::Wrong { why };
        }
        Signed::By { who, standing: self.standing(&signed.by) }
    }

    /// What is wrong with the keys themselves.
    pub fn findings(&self) -> Vec<String> {
        let mut out = Vec::new();
        for (at, i) in self.listed.iter().enumerate() {
            let who = i.shown();
            if self.listed.iter().take(at).any(|other| other.fingerprint == i.fingerprint) {
                out.push(format!("installation {who} is listed twice"));
            }
            if !i.is_named_by_its_key() {
                out.push(format!(
                    "the key of installation {who} is not the one that its fingerprint names: altered"
                ));
                continue;
            }
            if !self.signer.verifies(&i.public_key, &i.text(), &i.signature) {
                out.push(format!("the row of installation {who} is not signed by its key: altered"));
            }
            if let Some(why) = self.wrong_replacement(i) {
                out.push(why);
            } else if let Some(other) = self.namesake(i) {
                out.push(format!(
                    "installation {who} has another key than {other}, which is trusted under that name, and it is not signed by it"
                ));
            }
        }
        out
    }

    /// The key that it says it came after has signed that.
    fn is_signed_replacement(&self, i: &Installation) -> bool {
        let (Some(old), Some(proof)) = (&i.replaces, &i.proof) else { return false };
        let text = replacement_text(old, &i.public_key);
        self.key(old).is_some_and(|(key, _)| self.signer.verifies(&key, &text, proof))
    }

    /// It says that it came after another key, which did not sign that, or which was replaced by another one.
    fn wrong_replacement(&self, i: &Installation) -> Option<String> {
        let old = i.replaces.as_ref()?;
        // Where nobody here knows the old key nobody can tell, and the new one is believed no more for it.
        self.key(old)?;
        let says = format!("installation {} says that it replaces {old}", i.shown());
        if !self.is_signed_replacement(i) {
            return Some(format!("{says}, which has not signed that"));
        }
        if self.own.as_ref().is_some_and(|own| own.fingerprint == *old) {
            return Some(format!(
                "{says}, the key of this installation, which is in use: others have it (midwatch key rotate)"
            ));
        }
        let pin = self.pins.iter().find(|p| p.fingerprint == *old)?;
        let other = pin.replaced_by.as_ref().filter(|by| **by != i.fingerprint)?;
        Some(format!("{says}, which {other} has replaced: the old key was used after that"))
    }

    /// A key that the operator trusts has the same name, and this one is not trusted: neither by the operator's word nor
    /// for having come after one that is.
    fn namesake(&self, i: &Installation) -> Option<String> {
        if self.standing(&i.fingerprint) != Standing::Unconfirmed {
            return None;
        }
        let same =
            |p: &&Pin| p.standing == Standing::Trusted && p.name == i.name && p.fingerprint != i.fingerprint;
        self.pins.iter().find(same).map(|p| p.fingerprint.clone())
    }
}

/// Since which entry each key is replaced, also by what came after the one that replaced it.
fn retired(
    replaced: &BTreeMap<String, String>,
    first: &BTreeMap<String, i64>,
) -> BTreeMap<String, ReplacedKey> {
    let mut out = BTreeMap::new();
    for (old, new) in replaced {
        let (mut from, mut after) = (None, Some(new));
        // A circle of keys ends where it began.
        for _ in 0..replaced.len() {
            let Some(key) = after.filter(|key| *key != old) else { break };
            from = from.into_iter().chain(first.get(key).copied()).min();
            after = replaced.get(key);
        }
        if let Some(from) = from {
            out.insert(old.clone(), ReplacedKey { by: new.clone(), from });
        }
    }
    out
}

/// Entries that are signed for other databases: this one is a copy of those, or was one of them under another name.
#[derive(Default)]
pub(super) struct SignedElsewhere {
    ranges: BTreeMap<String, (i64, i64)>,
    /// The operator has accepted the journal as it was with this entry.
    accepted: i64,
}

impl SignedElsewhere {
    /// An entry that is signed for another database.
    pub(super) fn add(&mut self, target: &str, seq: i64) {
        self.ranges.entry(target.to_owned()).or_insert((seq, seq)).1 = seq;
    }

    /// An entry that is signed for this one, by who is believed.
    pub(super) fn accepted_by(&mut self, event: &Event) {
        if event.kind == ACCEPTED {
            let entry = field(&event.parsed(), "entry").as_i64().unwrap_or_default();
            self.accepted = self.accepted.max(entry.min(event.seq));
        }
    }

    /// What nobody has accepted here.
    pub(super) fn texts(&self) -> Vec<String> {
        let open = self.ranges.iter().filter(|(_, (_, to))| *to > self.accepted);
        open.map(|(target, (from, to))| {
            format!(
                "entries {from} to {to} are signed for another database ({target}), of which this is a copy, or which was \
                 upgraded, renamed, or restored into another cluster"
            )
        })
        .collect()
    }
}

/// One installation's entries, as far as they were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryWriter {
    /// Its fingerprint.
    pub fingerprint: String,
    /// Its fingerprint and name.
    pub who: String,
    /// How far it is believed.
    pub standing: Standing,
    /// How many it wrote.
    pub entries: u64,
    #[serde(skip)]
    counter: i64,
}

/// Looks at the signatures of entries, oldest first.
pub struct Signatures<'k, 's> {
    keys: &'k KnownKeys<'s>,
    target: &'k Identity,
    first: Option<i64>,
    unsigned: u64,
    writers: BTreeMap<String, EntryWriter>,
    elsewhere: SignedElsewhere,
    /// An entry was signed for this database.
    here: bool,
    /// Entries after this one were signed, as is known here.
    signed_from: Option<i64>,
    /// Runs that have ended for good, with the number and the signer of that entry.
    ended: HashMap<String, (i64, String)>,
}

impl<'k, 's> Signatures<'k, 's> {
    /// None was read yet. `signed_from`: entries after this one were signed.
    pub fn new(keys: &'k KnownKeys<'s>, target: &'k Identity, signed_from: Option<i64>) -> Self {
        let (writers, elsewhere) = (BTreeMap::new(), SignedElsewhere::default());
        let ended = HashMap::new();
        Self { keys, target, first: None, unsigned: 0, writers, elsewhere, here: false, signed_from, ended }
    }

    /// An entry of a run that has ended; only its writer goes on with it, who had no answer to the outcome's COMMIT.
    fn after_end(&mut self, event: &Event, by: &str, standing: Standing) -> Option<String> {
        let run = event.run.as_ref()?;
        if let Some((end, writer)) = self.ended.get(run)
            && (event.kind != "reconnected" || !self.keys.are_of_one(writer, by))
        {
            return Some(format!(
                "entry {} ({}) is of run {run}, which ended with entry {end}: added",
                event.seq, event.kind
            ));
        }
        self.ended.remove(run);
        // What a stranger calls the end is none.
        if standing != Standing::Unconfirmed && event.is_final() {
            self.ended.insert(run.clone(), (event.seq, by.to_owned()));
        }
        None
    }

    /// The next entry; what is wrong with it.
    pub fn next(&mut self, event: &Event) -> Option<String> {
        let entry = format!("entry {} ({})", event.seq, event.kind);
        let (who, standing) = match self.keys.judge(event) {
            Signed::Not => {
                self.unsigned += 1;
                let known = self.signed_from.filter(|from| *from <= event.seq);
                let first = self.first.or(known)?;
                if first == event.seq {
                    return Some(format!("{entry} is not signed any more: altered"));
                }
                return Some(format!(
                    "{entry} is not signed, and entry {first} before it is: added or altered"
                ));
            }
            Signed::Wrong { why } => {
                self.first.get_or_insert(event.seq);
                return Some(format!("{entry}: {why}"));
            }
            Signed::By { who, standing } => (who, standing),
        };
        self.first.get_or_insert(event.seq);
        let signed = event.signed.as_ref()?;
        let mut wrong = self.after_end(event, &signed.by, standing);
        if self.target.is_signed_as(&signed.target) {
            self.here = true;
            if standing != Standing::Unconfirmed {
                self.elsewhere.accepted_by(event);
            }
        } else if self.here {
            wrong.get_or_insert(format!(
                "{entry} is signed for another database ({}): it was copied here",
                signed.target
            ));
        } else {
            self.elsewhere.add(&signed.target, event.seq);
        }
        let writer = self.writers.entry(signed.by.clone()).or_insert_with(|| EntryWriter {
            fingerprint: signed.by.clone(),
            who,
            standing,
            entries: 0,
            counter: 0,
        });
        writer.entries += 1;
        let before = std::mem::replace(&mut writer.counter, signed.counter);
        let expected = before.checked_add(1);
        wrong.or_else(|| {
            let text = || {
                let is = format!("{entry} is number {} of installation {}", signed.counter, writer.who);
                match expected {
                    Some(expected) => format!("{is}, {expected} is missing"),
                    None => format!("{is}, after number {before}, which has no next"),
                }
            };
            (expected != Some(signed.counter)).then(text)
        })
    }

    /// How many entries are chained and not signed, and the first that is signed.
    pub fn unsigned(&self) -> (u64, Option<i64>) {
        (self.unsigned, self.first)
    }

    /// The keys that a writer's key came after, one after the other, each of which has signed the next: that may have been
    /// before it wrote here.
    fn predecessors(&self) -> BTreeSet<&str> {
        let mut out = BTreeSet::new();
        let row = |key: &str| self.keys.listed.iter().find(|i| i.fingerprint == key);
        for writer in self.writers.keys() {
            let mut at = row(writer);
            while let Some(i) = at.filter(|i| self.keys.is_signed_replacement(i)) {
                let Some(old) = i.replaces.as_deref().filter(|old| out.insert(*old)) else { break };
                at = row(old);
            }
        }
        out
    }

    /// What is wrong with all of them together. A key is told in the transaction of its first entry, with its predecessors.
    pub fn findings(&self) -> Vec<String> {
        let listed = &self.keys.listed;
        let gone = self.writers.values().filter(|w| listed.iter().all(|i| i.fingerprint != w.fingerprint));
        let gone = gone.map(|w| {
            format!("installation {} is not listed any more: its row was removed or altered", w.who)
        });
        let predecessors = self.predecessors();
        let silent = listed.iter().filter(|i| {
            !self.writers.contains_key(&i.fingerprint) && !predecessors.contains(i.fingerprint.as_str())
        });
        let silent = silent.map(|i| {
            format!("installation {} is listed and has written nothing: added or altered", i.shown())
        });
        gone.chain(silent).collect()
    }

    /// Whoever is not believed.
    pub fn unknown(&self) -> Vec<String> {
        let unconfirmed = self.writers.values().filter(|w| w.standing == Standing::Unconfirmed);
        unconfirmed
            .map(|w| {
                let (entries, are) = if w.entries == 1 { ("entry", "is") } else { ("entries", "are") };
                format!(
                    "{} {entries} {are} signed by installation {}, whose key is not confirmed here: midwatch key trust {}",
                    w.entries, w.who, w.fingerprint
                )
            })
            // A copy of a database has the entries of the original before its own.
            .chain(self.elsewhere.texts())
            .collect()
    }

    /// Who wrote.
    pub fn into_writers(self) -> Vec<EntryWriter> {
        self.writers.into_values().collect()
    }
}
