//! What rehearsals have shown of a set of twins.

use crate::engine::model::query::Sql;
use serde::Deserialize;

use crate::engine::model::cause::Cause;
use crate::engine::model::error::Result;
use crate::engine::model::preflight::{Preflight, Ready};
use crate::engine::model::step::Step;
use crate::engine::plan::operation::PlanCx;
use crate::features::switchover::task::RehearsalResult;
use crate::features::switchover::texts::preflight as texts;
use crate::features::switchover::twins::{age, named};

#[derive(Deserialize)]
pub(crate) struct JournalledRehearsal {
    run: String,
    name: String,
    age_h: f64,
    body: RehearsalResult,
    /// Twins that it played besides those asked for.
    #[serde(skip)]
    others: Vec<String>,
}

/// The latest rehearsal that had all of these twins in it, however they were named.
pub(crate) async fn rehearsal(cx: &PlanCx<'_>, name: &str) -> Result<Option<JournalledRehearsal>> {
    let sql = "select r.id::text as run, r.name, e.body::json as body, \
               (extract(epoch from clock_timestamp() - e.at::timestamptz) / 3600)::float8 as age_h \
               from midwatch.events e join midwatch.runs r on r.id = e.run \
               where e.kind = 'rehearsal' and r.operation = 'rehearse' order by e.seq desc limit 100";
    let found: Vec<JournalledRehearsal> = match cx.cx.read().await?.fetch(&Sql::new(sql)).await {
        // No journal yet.
        Err(e) if e.cause == Cause::NoSuchObject => return Ok(None),
        found => found?,
    };
    let set = |name: &str| named(cx.profile(), name).iter().map(|t| t.name().to_owned()).collect::<Vec<_>>();
    let wanted = set(name);
    Ok(found.into_iter().find_map(|mut r| {
        let played = set(&r.name);
        let whole = wanted.iter().all(|w| played.contains(w));
        r.others = played.into_iter().filter(|p| !wanted.contains(p)).collect();
        whole.then_some(r)
    }))
}

impl JournalledRehearsal {
    /// By its run, and what else it played.
    fn place(&self) -> String {
        texts::rehearsal(&self.run, &self.others)
    }

    /// What its other steps took there, onto those of a plan.
    pub(crate) fn times(&self, steps: &mut [Step]) {
        for step in steps {
            let Some(ms) = self.body.steps.get(&step.id) else { continue };
            for lock in step.locks.iter_mut().filter(|l| l.held_ms.is_none()) {
                lock.held_ms = Some(*ms);
                lock.measured_on = Some(texts::measured_step(&self.place(), &self.body.copied));
            }
        }
    }

    /// Said of a twin that is not asked for now.
    fn of_others(&self, text: &str) -> bool {
        self.others.iter().any(|o| text.strip_prefix(o.as_str()).is_some_and(|rest| rest.starts_with(':')))
    }
}

/// How long locks were held, and where that was seen.
pub(crate) fn measured(
    rehearsed: Option<&JournalledRehearsal>,
    trial_ms: Option<u64>,
) -> Option<(u64, String)> {
    if let Some(r) = rehearsed.filter(|r| r.body.failures.is_empty()) {
        return Some((r.body.held_ms, texts::measured_swap(&r.place(), &r.body)));
    }
    trial_ms.map(|ms| (ms, texts::MEASURED_IN_TRIAL.to_owned()))
}

/// How long the way back held its locks there.
pub(crate) fn rollback_time(rehearsed: &JournalledRehearsal) -> Option<(u64, String)> {
    let p = &rehearsed.body;
    let place = || texts::measured_rollback(&rehearsed.place(), p.writes, &p.copied);
    p.failures.is_empty().then(|| (p.back_ms, place()))
}

/// What differs between a copy and its original by nature.
fn elsewhere(id: &str) -> bool {
    matches!(
        id,
        "rehearsal"
            | "connection"
            | "journal"
            | "operator"
            | "broken_off"
            | "replicas"
            | "load"
            | "disk"
            | "backup"
            | "last_backup"
            | "locks"
            | "stall"
            | "marker"
            | "long_transaction"
            | "replication_slot"
            | "sequence"
            | "parity"
            | "trial"
            | "untried"
            | "publication"
            | "statements"
    )
}

/// What the rehearsal met, and this plan does not, or the other way round.
pub(crate) fn compared(rehearsed: Option<&JournalledRehearsal>, now: &[Preflight]) -> Preflight {
    let Some(r) = rehearsed else {
        return Preflight::new("rehearsal", Ready::Warn, texts::NOT_REHEARSED);
    };
    if let Some(failure) = r.body.failures.first() {
        let text = texts::rehearsal_failed(&r.place(), failure);
        return Preflight::new("rehearsal", Ready::Warn, text);
    }
    let there: Vec<(&str, &str)> = r
        .body
        .preflight
        .iter()
        .filter(|(id, status, text)| !elsewhere(id) && status != "ok" && !r.of_others(text))
        .map(|(id, _, text)| (id.as_str(), text.as_str()))
        .collect();
    let here: Vec<(&str, &str)> = now
        .iter()
        .filter(|p| !elsewhere(&p.id) && p.status != Ready::Ok)
        .map(|p| (p.id.as_str(), p.message.as_str()))
        .collect();
    let new: Vec<_> = here.iter().filter(|h| !there.contains(h)).map(|(_, text)| *text).collect();
    let gone: Vec<_> = there.iter().filter(|t| !here.contains(t)).map(|(_, text)| *text).collect();
    let when = texts::rehearsed_ago(&r.place(), &age(r.age_h));
    if new.is_empty() && gone.is_empty() {
        return Preflight::new("rehearsal", Ready::Ok, texts::met_the_same(&when));
    }
    Preflight::new("rehearsal", Ready::Warn, texts::met_otherwise(&when, &new, &gone))
}
