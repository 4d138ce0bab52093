//! A work queue kept in a table: states, ages, and failures grouped by cause rather than by job.

use crate::features::queue::finding_kind::QueueFinding;
use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::engine::check::kind::{Check, CheckCx, CheckSpec};
use crate::engine::check::paging::{self, PageRequest, RowSource};
use crate::engine::check::samples::{SAMPLE, samples};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::param::Params;
use crate::engine::model::profile::{Profile, Queue};
use crate::engine::model::query::ProfileSql;
use crate::engine::model::report::{CheckId, Finding, Report, Severity};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::{Fut, ReadOptions, ReadTx, Snapshot};
use crate::features::queue::dialects;
use crate::features::queue::facts::{FailureGroup, KIND, QueueFacts};
use crate::features::queue::sql::{QueueRows, QueueSql};
use crate::features::queue::texts;

pub(crate) struct Queues;

static SPEC: CheckSpec = CheckSpec {
    kind: KIND,
    title: "Queue",
    about: "states, ages and failures of work queues, grouped by cause",
    every: Duration::from_secs(5),
    params: &[],
};

/// Causes listed at most; the number of all is in the facts.
const CAUSES: usize = 50;

impl Check for Queues {
    fn spec(&self) -> &'static CheckSpec {
        &SPEC
    }

    fn names(&self, profile: &Profile) -> Vec<String> {
        profile.queues.iter().map(|q| q.name.clone()).collect()
    }

    fn observe<'a>(
        &'a self,
        cx: &'a CheckCx<'a>,
        id: &'a CheckId,
        _params: &'a Params,
    ) -> Fut<'a, Result<Report>> {
        Box::pin(async move {
            let queue = queue(cx.profile, &id.name)?;
            let sql = dialects::sql(cx.facts.dialect())?;
            let options =
                ReadOptions { snapshot: Snapshot::Transaction, timeout: None, ..ReadOptions::default() };
            let mut tx = cx.read_with(options).await?;
            read_as_stored(&mut *tx, cx.dialect(), queue).await?;
            let (facts, mut unseen) = facts(&mut *tx, sql, queue).await?;
            let mut findings = found(id, queue, &facts);
            // What did not answer is not asked for more.
            if unseen.is_none() {
                unseen = show(&mut *tx, cx.dialect(), queue, &mut findings).await?;
            }
            let waiting = queue.states.pending.iter().filter_map(|s| facts.states.get(s)).sum();
            let summary = texts::summary(waiting, facts.oldest_pending_s);
            Ok(Report::observed(id.clone(), &facts, findings, &summary)
                .evidence("rows by state", sql.states(queue).text())
                .evidence("waiting, in progress, exhausted", sql.ages(queue).text())
                .evidence("failures by cause", sql.causes(queue, CAUSES).text())
                .evidence(
                    "per minute: came; finished, of rows that came within a day",
                    sql.throughput(queue).text(),
                )
                .partly_unknown(unseen))
        })
    }

    fn rows(&self, dialect: &dyn Dialect, profile: &Profile, name: &str, finding: &str) -> Option<RowSource> {
        rows_of(dialects::sql(dialect).ok()?, profile.queues.iter().find(|q| q.name == name)?, finding)
    }
}

fn rows_of(sql: &dyn QueueSql, queue: &Queue, finding: &str) -> Option<RowSource> {
    let source = |title: &str, rows: &ProfileSql, key: Vec<String>| RowSource {
        id: format!("queue/{}/{finding}", queue.name),
        title: title.to_owned(),
        sql: rows.text().to_owned(),
        params: rows.params().to_vec(),
        key,
        labels: BTreeMap::new(),
        context: None,
    };
    let (kind, object) = QueueFinding::parse(finding)?;
    if kind == QueueFinding::FlaggedDays {
        let days = queue.days.as_ref()?;
        return Some(source("days with an error flag", &sql.flagged_days(days), days.key.clone()));
    }
    let (title, which) = match (kind, object) {
        (QueueFinding::Failed, Some(cause)) => ("failures of one cause".into(), QueueRows::Cause(cause)),
        (QueueFinding::State, Some(state)) => (format!("rows in state {state}"), QueueRows::State(state)),
        (QueueFinding::Exhausted, None) => ("all attempts used".into(), QueueRows::Exhausted),
        (QueueFinding::Stuck, None) => ("in progress for too long".into(), QueueRows::Stuck),
        (QueueFinding::Late, None) => ("waiting for too long".into(), QueueRows::Late),
        (QueueFinding::UnknownStates, None) => {
            ("in states the profile does not name".into(), QueueRows::UnknownStates)
        }
        _ => return None,
    };
    Some(source(&title, &sql.rows(queue, which), vec![queue.key.clone()]))
}

fn queue<'p>(profile: &'p Profile, name: &str) -> Result<&'p Queue> {
    profile.queues.iter().find(|q| q.name == name).ok_or_else(|| Error::usage(format!("no queue {name}")))
}

#[derive(Deserialize)]
struct StateRow {
    state: String,
    rows: u64,
}

#[derive(Deserialize)]
struct Ages {
    oldest_s: Option<f64>,
    p50_s: Option<f64>,
    p95_s: Option<f64>,
    late: u64,
    stuck: u64,
    exhausted: u64,
}

/// A group of failures, and the number of all groups beside each.
#[derive(Deserialize)]
struct CauseRow {
    id: String,
    fingerprint: String,
    class: String,
    code: Option<String>,
    rows: u64,
    exhausted: u64,
    first: Option<DateTime<Utc>>,
    last: Option<DateTime<Utc>>,
    recent: Vec<u64>,
    causes: u64,
}

impl From<CauseRow> for FailureGroup {
    fn from(row: CauseRow) -> Self {
        let CauseRow { id, fingerprint, class, code, rows, exhausted, first, last, recent, causes: _ } = row;
        Self { id, fingerprint, class, code, rows, exhausted, first, last, recent }
    }
}

#[derive(Deserialize)]
struct Minute {
    arrived: u64,
    finished: u64,
}

#[derive(Deserialize)]
struct Count {
    rows: u64,
}

/// No value of the queue's tables may pass through a cast of others: what it says would count for what is stored.
async fn read_as_stored(tx: &mut dyn ReadTx, dialect: &dyn Dialect, queue: &Queue) -> Result<()> {
    let tables = [Some(&queue.table), queue.days.as_ref().map(|d| &d.table)];
    let tables: Vec<_> = tables.into_iter().flatten().map(|t| dialect.parse(t)).collect();
    let found = dialect.foreign_casts(tx, &tables).await?;
    found.first().map_or(Ok(()), |cast| Err(cast.refusal()))
}

/// What is known of a queue, and why not the rest: rows in progress for too long and those that nothing tries again are
/// counted first, and proved whatever cannot be read after them.
async fn facts(
    tx: &mut dyn ReadTx,
    sql: &dyn QueueSql,
    queue: &Queue,
) -> Result<(QueueFacts, Option<String>)> {
    let states: Vec<StateRow> = tx.fetch(&sql.states(queue)).await?;
    let ages: Ages = tx.one(&sql.ages(queue)).await?;
    let mut facts = QueueFacts {
        states: states.into_iter().map(|s| (s.state, s.rows)).collect(),
        jobs_unknown: queue.jobs.as_ref().map(|_| "no Redis configured".to_owned()),
        oldest_pending_s: ages.oldest_s,
        age_p50_s: ages.p50_s,
        age_p95_s: ages.p95_s,
        late: ages.late,
        stuck: ages.stuck,
        exhausted: ages.exhausted,
        ..QueueFacts::default()
    };
    let mut reading = "failures by cause";
    let unseen = read_more(tx, sql, queue, &mut facts, &mut reading).await.err();
    Ok((facts, unseen.map(|e| texts::unread(reading, &e))))
}

/// Adds to the facts what each statement says; `reading`: what is asked for, and what an error has left unread.
async fn read_more(
    tx: &mut dyn ReadTx,
    sql: &dyn QueueSql,
    queue: &Queue,
    facts: &mut QueueFacts,
    reading: &mut &'static str,
) -> Result<()> {
    let causes: Vec<CauseRow> = tx.fetch(&sql.causes(queue, CAUSES)).await?;
    facts.causes = causes.first().map_or(0, |c| c.causes);
    facts.failed = causes.into_iter().map(FailureGroup::from).collect();
    *reading = "rows by minute";
    let minutes: Vec<Minute> = tx.fetch(&sql.throughput(queue)).await?;
    facts.arrived = minutes.iter().map(|m| m.arrived).collect();
    facts.finished = minutes.iter().map(|m| m.finished).collect();
    if let Some(days) = &queue.days {
        *reading = "days with an error flag";
        facts.sync_error_days = Some(tx.one::<Count>(&sql.count_flagged_days(days)).await?.rows);
    }
    Ok(())
}

/// Gives each finding rows of its own as a sample; why the last that was asked for has none.
async fn show(
    tx: &mut dyn ReadTx,
    dialect: &dyn Dialect,
    queue: &Queue,
    findings: &mut [Finding],
) -> Result<Option<String>> {
    let sql = dialects::sql(dialect)?;
    for finding in findings {
        let Some(source) = rows_of(sql, queue, finding.what()) else { continue };
        let title = source.title.clone();
        match paging::read(tx, dialect, &PageRequest::first(source, SAMPLE)).await {
            Ok(page) => finding.sample = samples(&page),
            Err(e) => return Ok(Some(texts::unread(&title, &e))),
        }
    }
    Ok(None)
}

/// What the facts say is wrong, without sample rows.
fn found(id: &CheckId, queue: &Queue, facts: &QueueFacts) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut add = |what: String, severity, message, rows| {
        out.push(Finding {
            id: format!("{id}/{what}"),
            severity,
            message,
            title: None,
            rows,
            sample: vec![],
        });
    };
    if facts.exhausted > 0 {
        let message = texts::exhausted(facts.exhausted, queue.max_attempts);
        add(QueueFinding::Exhausted.word().into(), Severity::Critical, message, Some(facts.exhausted));
    }
    if facts.stuck > 0 {
        let message = texts::stuck(facts.stuck, queue.stuck_after_s);
        add(QueueFinding::Stuck.word().into(), Severity::Critical, message, Some(facts.stuck));
    }
    if facts.late > 0 {
        let message = texts::late(facts.late, queue.late_after_s);
        add(QueueFinding::Late.word().into(), Severity::Warning, message, Some(facts.late));
    }
    let strange: Vec<(&String, &u64)> =
        facts.states.iter().filter(|(s, _)| !queue.states.all().any(|known| known == *s)).collect();
    if !strange.is_empty() {
        add(
            QueueFinding::UnknownStates.word().into(),
            Severity::Warning,
            texts::unknown_states(&strange),
            Some(strange.iter().map(|(_, n)| *n).sum()),
        );
    }
    for cause in &facts.failed {
        add(QueueFinding::Failed.with(&cause.id), Severity::Warning, texts::failed(cause), Some(cause.rows));
    }
    if facts.causes > facts.failed.len() as u64 {
        let message = texts::more_causes(facts.causes - facts.failed.len() as u64);
        add(QueueFinding::MoreCauses.word().into(), Severity::Warning, message, None);
    }
    if let Some(days) = facts.sync_error_days.filter(|d| *d > 0) {
        add(QueueFinding::FlaggedDays.word().into(), Severity::Info, texts::flagged_days(days), Some(days));
    }
    if let Some(why) = &facts.jobs_unknown {
        add(QueueFinding::JobsUnknown.word().into(), Severity::Info, texts::jobs_unknown(why), None);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Byte for byte what earlier versions wrote, who read the group out of the row as it was.
    #[test]
    fn a_group_keeps_its_text() {
        let group = r#"{"id":"a1","fingerprint":"500 timeout","class":"retryable","code":null,"rows":3,"exhausted":1,"first":"2026-01-02T03:04:05Z","last":null,"recent":[0,3]}"#;
        let row = group.replace('}', ",\"causes\":7}");
        let row: CauseRow = serde_json::from_str(&row).unwrap();
        assert_eq!(row.causes, 7);
        assert_eq!(serde_json::to_string(&FailureGroup::from(row)).unwrap(), group);
    }
}
