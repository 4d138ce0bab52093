//! What rehearsals have shown of a set of twins.

use crate::engine::model::query::Sql;
use serde::Deserialize;

use crate::engine::model::cause::Cause;
use crate::engine::model::error::Result;
use crate::engine::model::preflight::{Preflight, Ready};
use crate::engine::model::step::Step;
use crate::engine::plan::operation::PlanCx;
use crate::features::switchover::task::{ComparableLine, RehearsalResult};
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

    /// Lines that it met and that a plan of the same pairs has as well, by id and message.
    fn comparable_lines(&self) -> Vec<(&str, &str)> {
        let Some(lines) = &self.body.comparable else { return self.comparable_by_text() };
        let asked = lines.iter().filter(|line| !self.others.contains(&line.pair));
        asked.map(|line| (line.id.as_str(), line.message.as_str())).collect()
    }

    /// The same of a rehearsal that an older build journalled: only ids and texts tell there what a line is about.
    fn comparable_by_text(&self) -> Vec<(&str, &str)> {
        let of_other = |text: &str| {
            let mut others = self.others.iter();
            others.any(|o| text.strip_prefix(o.as_str()).is_some_and(|rest| rest.starts_with(':')))
        };
        let lines = self.body.preflight.iter().filter(|(id, status, text)| {
            !OLDER_NOT_COPIED.contains(&id.as_str()) && status != "ok" && !of_other(text)
        });
        lines.map(|(id, _, text)| (id.as_str(), text.as_str())).collect()
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

/// Lines of older builds that differ between a copy and its original by nature.
const OLDER_NOT_COPIED: [&str; 21] = [
    "rehearsal",
    "connection",
    "journal",
    "operator",
    "broken_off",
    "replicas",
    "load",
    "disk",
    "backup",
    "last_backup",
    "locks",
    "stall",
    "marker",
    "long_transaction",
    "replication_slot",
    "sequence",
    "parity",
    "trial",
    "untried",
    "publication",
    "statements",
];

/// What the rehearsal met, and this plan does not, or the other way round.
pub(crate) fn compared(rehearsed: Option<&JournalledRehearsal>, now: &[Preflight]) -> Preflight {
    let Some(r) = rehearsed else {
        return Preflight::new("rehearsal", Ready::Warn, texts::NOT_REHEARSED);
    };
    if let Some(failure) = r.body.failures.first() {
        let text = texts::rehearsal_failed(&r.place(), failure);
        return Preflight::new("rehearsal", Ready::Warn, text);
    }
    let there = r.comparable_lines();
    let now = ComparableLine::from_preflight(now);
    let here: Vec<_> = now.iter().map(|line| (line.id.as_str(), line.message.as_str())).collect();
    let new: Vec<_> = here.iter().filter(|h| !there.contains(h)).map(|(_, text)| *text).collect();
    let gone: Vec<_> = there.iter().filter(|t| !here.contains(t)).map(|(_, text)| *text).collect();
    let when = texts::rehearsed_ago(&r.place(), &age(r.age_h));
    if new.is_empty() && gone.is_empty() {
        return Preflight::new("rehearsal", Ready::Ok, texts::met_the_same(&when));
    }
    Preflight::new("rehearsal", Ready::Warn, texts::met_otherwise(&when, &new, &gone))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// A rehearsal of two pairs, of which `orders` is asked for.
    fn journalled(body: Value) -> JournalledRehearsal {
        JournalledRehearsal {
            run: "7".into(),
            name: "all".into(),
            age_h: 1.0,
            body: serde_json::from_value(body).unwrap(),
            others: vec!["lines".into()],
        }
    }

    fn body(preflight: &[Preflight], keeps_pairs: bool) -> Value {
        let mut result = RehearsalResult::default();
        result.keep_preflight(preflight);
        let mut body = serde_json::to_value(result).unwrap();
        assert_eq!(body["preflight"].as_array().unwrap().len(), preflight.len());
        if !keeps_pairs {
            body.as_object_mut().unwrap().remove("comparable").unwrap();
        }
        body
    }

    fn warn(id: &str, pair: Option<&str>, message: &str) -> Preflight {
        let line = Preflight::new(id, Ready::Warn, message);
        match pair {
            Some(pair) => line.copied_with(pair),
            None => line,
        }
    }

    fn said(there: &[Preflight], here: &[Preflight], keeps_pairs: bool) -> (Ready, String) {
        let line = compared(Some(&journalled(body(there, keeps_pairs))), here);
        (line.status, line.message)
    }

    #[test]
    fn only_lines_of_the_same_pairs_that_a_copy_has_too_are_compared() {
        let there = [
            Preflight::new("view", Ready::Ok, "orders: no view").copied_with("orders"),
            warn("view", Some("orders"), "orders: a view casts"),
            warn("view", Some("lines"), "lines: another view casts"),
            warn("disk", None, "the copy's disk is full"),
            warn("sequence", None, "orders: behind 5"),
        ];
        let mut here = vec![
            warn("view", Some("orders"), "orders: a view casts"),
            warn("disk", None, "another disk is full"),
            warn("sequence", None, "orders: behind 7"),
        ];
        for keeps_pairs in [true, false] {
            let (status, text) = said(&there, &here, keeps_pairs);
            assert_eq!(status, Ready::Ok, "{text}");
            assert!(text.ends_with(": met the same"), "{text}");
        }
        here.push(warn("owner", Some("orders"), "orders: another owner"));
        for keeps_pairs in [true, false] {
            let (status, text) = said(&there, &here, keeps_pairs);
            assert_eq!(status, Ready::Warn);
            assert!(text.ends_with("; not met there: orders: another owner"), "{text}");
        }
    }

    #[test]
    fn fields_decide_where_they_are_there_and_texts_only_where_not() {
        // By its fields a line of the other pair, and not one that differs by nature, whatever its id and text.
        let there =
            [warn("disk", Some("orders"), "a view casts"), warn("view", Some("lines"), "a view reads")];
        let (status, text) = said(&there, &[], true);
        assert_eq!(status, Ready::Warn);
        assert!(text.ends_with("; met there only: a view casts"), "{text}");
        // What an older build journalled has ids and texts only.
        let (_, text) = said(&there, &[], false);
        assert!(text.ends_with("; met there only: a view reads"), "{text}");
    }
}
