//! Whose plan a run carries out: the journal is data that others can write, and a plan in it is an order only where this
//! installation has signed it.

use crate::engine::journal::runs;
use crate::engine::journal::signatures::{KnownKeys, Signed};
use crate::engine::model::error::Result;
use crate::engine::model::event::Event;
use crate::engine::model::identity::Identity;
use crate::engine::model::installation::{Standing, plan_text};
use crate::engine::model::json::field;
use crate::engine::model::plan::Plan;
use crate::engine::port::journal_copy::JournalCopy;
use crate::engine::port::journal_sql::EventFilter;
use crate::engine::port::reader::{ReadOptions, Reader};
use crate::engine::port::signer::Signer;

/// Who began a run with this plan, or went on with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanOrigin {
    /// This installation.
    Own,
    /// Another one, whose key the operator trusts.
    Trusted {
        /// Its fingerprint and name.
        who: String,
    },
    /// Nobody who is known here.
    Stranger {
        /// What is lacking.
        why: String,
    },
}

impl PlanOrigin {
    /// What is said of a plan that is not ours; none: it is.
    pub fn note(&self) -> Option<String> {
        match self {
            Self::Own => None,
            Self::Trusted { who } => {
                Some(format!("the journal's plan is that of installation {who}, not of this one"))
            }
            Self::Stranger { why } => Some(format!(
                "the journal's plan carries no signature of this installation ({why}): read all of it"
            )),
        }
    }
}

fn stranger(why: impl Into<String>) -> PlanOrigin {
    PlanOrigin::Stranger { why: why.into() }
}

/// What this machine knows: its keys, and how far it has seen the journal.
pub(in crate::engine) struct Known<'a> {
    pub(in crate::engine) signer: &'a dyn Signer,
    pub(in crate::engine) copy: &'a dyn JournalCopy,
    pub(in crate::engine) target: &'a Identity,
}

/// Who has signed that this run carries out this plan? Each entry of the run is bound to it, to its place in the chain and
/// to this database, so neither a plan nor an entry can be taken from another run.
pub(in crate::engine) async fn of_run(
    facts: &dyn Reader,
    known: &Known<'_>,
    run: &str,
    plan: &Plan,
) -> Result<PlanOrigin> {
    let entries = runs::events(facts, run).await?;
    let sql = facts.dialect();
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let keys = KnownKeys::read(sql, &mut *tx, known.signer).await?;
    let first_signed = sql.first_signed(&mut *tx).await?;
    if let Some(mark) = known.copy.mark(known.target)?.filter(|m| m.seq > 0) {
        let at = EventFilter { after: mark.seq - 1, limit: Some(1), ..EventFilter::default() };
        let there = sql.events(&mut *tx, &at).await?;
        if there.first().is_none_or(|e| e.seq != mark.seq || e.hash != mark.hash) {
            return Ok(stranger(format!(
                "entry {} of the journal is not the one that was seen here",
                mark.seq
            )));
        }
    }
    drop(tx);
    let mut best = stranger("no entry of the run is signed");
    for entry in &entries {
        let what = format!("entry {} ({})", entry.seq, entry.kind);
        if entry.computed_hash() != entry.hash {
            return Ok(stranger(format!("{what} was altered")));
        }
        let begins = begins_with(entry, plan);
        let (who, standing) = match keys.judge(entry) {
            Signed::Wrong { why } => return Ok(stranger(format!("{what}: {why}"))),
            Signed::Not if first_signed.is_some_and(|first| entry.seq > first) => {
                return Ok(stranger(format!("{what} is not signed")));
            }
            Signed::Not => {
                if begins && is_of_earlier_version(known.signer, plan) {
                    best = PlanOrigin::Own;
                }
                continue;
            }
            Signed::By { who, standing } => (who, standing),
        };
        if entry.signed.as_ref().is_some_and(|s| !known.target.is_signed_as(&s.target)) {
            return Ok(stranger(format!("{what} is signed for another database")));
        }
        if begins && best != PlanOrigin::Own {
            best = match (standing, best) {
                (Standing::Own, _) => PlanOrigin::Own,
                (Standing::Trusted, _) => PlanOrigin::Trusted { who },
                (Standing::Unconfirmed, PlanOrigin::Stranger { .. }) => {
                    stranger(format!("installation {who} has begun it, whose key nobody has confirmed here"))
                }
                (Standing::Unconfirmed, better) => better,
            };
        }
    }
    Ok(best)
}

/// It says that the run carries out this plan.
fn begins_with(entry: &Event, plan: &Plan) -> bool {
    matches!(entry.kind.as_str(), "intent" | "resumed")
        && field(&entry.parsed(), "digest").as_str() == Some(&plan.digest)
}

/// Earlier versions signed plans and no entries.
fn is_of_earlier_version(signer: &dyn Signer, plan: &Plan) -> bool {
    plan.signature.as_ref().is_some_and(|s| signer.is_of_earlier_version(&plan.digest, s))
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
