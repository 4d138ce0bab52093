//! A work queue kept in a table: states, ages, and failures grouped by cause rather than by job.

use crate::engine::model::query::Sql;
use crate::features::queue::postgres as sql;
use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::engine::check::kind::{Check, CheckSpec, Cx};
use crate::engine::check::paging::{self, PageRequest, RowSource};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::profile::{Profile, Queue};
use crate::engine::model::query::Param;
use crate::engine::model::report::{CheckId, Finding, Report, Severity};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::{Fut, ReadOptions, ReadTx, Snapshot};
use crate::features::anomalies::check::{SAMPLE, samples};

pub(crate) struct Queues;

static SPEC: CheckSpec = CheckSpec {
    kind: "queue",
    title: "Queue",
    about: "states, ages and failures of work queues, grouped by cause",
    every: Duration::from_secs(5),
};

/// Causes listed at most; the number of all is in the facts.
const CAUSES: usize = 50;

/// A group of failures with one normalised message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailureGroup {
    /// Short digest of code, normalised message and class: identifies the group.
    pub id: String,
    /// Code and normalised message.
    pub fingerprint: String,
    /// `permanent` (trying again is pointless) or `retryable`.
    pub class: String,
    /// The error's code.
    pub code: Option<String>,
    /// How many.
    pub rows: u64,
    /// Of these, how many have used all attempts.
    pub exhausted: u64,
    /// First tried.
    pub first: Option<DateTime<Utc>>,
    /// Last tried.
    pub last: Option<DateTime<Utc>>,
    /// Failures per tenth of the last hour, oldest first.
    pub recent: Vec<u64>,
}

/// The facts of a queue.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueFacts {
    /// Rows by state.
    pub states: BTreeMap<String, u64>,
    /// Failures by cause, most rows first.
    pub failed: Vec<FailureGroup>,
    /// Number of causes, of which `failed` lists the first.
    pub causes: u64,
    /// Rows that wait without a job; null: not known.
    pub lost: Option<u64>,
    /// Jobs whose row does not exist; null: not known.
    pub ghost: Option<u64>,
    /// Rows with several live jobs; null: not known.
    pub duplicate: Option<u64>,
    /// Failed rows without any job; null: not known.
    pub silent: Option<u64>,
    /// Why the four are null.
    pub jobs_unknown: Option<String>,
    /// Age of the oldest waiting row.
    pub oldest_pending_s: Option<f64>,
    /// Median age of waiting rows.
    pub age_p50_s: Option<f64>,
    /// 95th percentile of the age of waiting rows.
    pub age_p95_s: Option<f64>,
    /// Rows that wait longer than the profile's `late_after_s`.
    pub late: u64,
    /// In progress for longer than the profile's `stuck_after_s`.
    pub stuck: u64,
    /// Failed with all attempts used.
    pub exhausted: u64,
    /// Days flagged with an error.
    pub sync_error_days: Option<u64>,
    /// Rows that came per minute of the last half hour, oldest first.
    pub arrived: Vec<u64>,
    /// Rows finished per minute of the last half hour; only of those that came within a day, so one that
    /// waited for longer is not in it.
    pub finished: Vec<u64>,
}

impl Check for Queues {
    fn spec(&self) -> &'static CheckSpec {
        &SPEC
    }

    fn names(&self, profile: &Profile) -> Vec<String> {
        profile.queues.iter().map(|q| q.name.clone()).collect()
    }

    fn observe<'a>(&'a self, cx: &'a Cx<'a>, id: &'a CheckId) -> Fut<'a, Result<Report>> {
        Box::pin(async move {
            let queue = queue(cx.profile, &id.name)?;
            let options =
                ReadOptions { snapshot: Snapshot::Transaction, timeout: None, ..ReadOptions::default() };
            let mut tx = cx.read_with(options).await?;
            let facts = facts(&mut *tx, queue).await?;
            let findings = findings(&mut *tx, cx.dialect(), id, queue, &facts).await?;
            let summary = format!(
                "{} waiting, oldest {}",
                queue.states.pending.iter().filter_map(|s| facts.states.get(s)).sum::<u64>(),
                facts.oldest_pending_s.map_or("none".into(), |s| format!("{s:.0} s"))
            );
            Ok(Report::of(id.clone(), &facts, findings, &summary)
                .evidence("rows by state", sql::states(queue))
                .evidence("waiting, in progress, exhausted", sql::ages(queue))
                .evidence("failures by cause", sql::causes(queue, CAUSES))
                .evidence(
                    "per minute: came; finished, of rows that came within a day",
                    sql::throughput(queue),
                ))
        })
    }

    fn rows(
        &self,
        _dialect: &dyn Dialect,
        profile: &Profile,
        name: &str,
        finding: &str,
    ) -> Option<RowSource> {
        rows_of(profile.queues.iter().find(|q| q.name == name)?, finding)
    }
}

fn rows_of(queue: &Queue, finding: &str) -> Option<RowSource> {
    let source = |title: &str, sql: String, params: Vec<Param>, key: Vec<String>| RowSource {
        id: format!("queue/{}/{finding}", queue.name),
        title: title.to_owned(),
        sql,
        params,
        key,
        labels: BTreeMap::new(),
        context: None,
    };
    if finding == "sync_error_days" {
        let days = queue.days.as_ref()?;
        return Some(source("days with an error flag", sql::flagged_days(days), vec![], days.key.clone()));
    }
    let (title, filter, params) = match finding.split_once('/') {
        Some(("failed", cause)) => {
            ("failures of one cause".into(), sql::is_cause(queue), vec![Param::from(cause)])
        }
        Some(("state", state)) => {
            (format!("rows in state {state}"), sql::is_state(queue), vec![Param::from(state)])
        }
        _ => match finding {
            "exhausted" => ("all attempts used".into(), sql::is_exhausted(queue), vec![]),
            "stuck" => ("in progress for too long".into(), sql::is_stuck(queue), vec![]),
            "late" => ("waiting for too long".into(), sql::is_late(queue), vec![]),
            "unknown_states" => {
                ("in states the profile does not name".into(), sql::is_unknown(queue), vec![])
            }
            _ => return None,
        },
    };
    Some(source(&title, sql::rows(queue, &filter), params, vec![queue.key.clone()]))
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

#[derive(Deserialize)]
struct CauseRow {
    #[serde(flatten)]
    cause: FailureGroup,
    causes: u64,
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

async fn facts(tx: &mut dyn ReadTx, queue: &Queue) -> Result<QueueFacts> {
    let states: Vec<StateRow> = tx.fetch(&Sql::of_profile(sql::states(queue))).await?;
    let ages: Ages = tx.one(&Sql::of_profile(sql::ages(queue))).await?;
    let causes: Vec<CauseRow> = tx.fetch(&Sql::of_profile(sql::causes(queue, CAUSES))).await?;
    let minutes: Vec<Minute> = tx.fetch(&Sql::of_profile(sql::throughput(queue))).await?;
    let sync_error_days = match &queue.days {
        Some(days) => {
            let sql = format!("select count(*) as rows from ({}) d", sql::flagged_days(days));
            Some(tx.one::<Count>(&Sql::of_profile(&sql)).await?.rows)
        }
        None => None,
    };
    Ok(QueueFacts {
        states: states.into_iter().map(|s| (s.state, s.rows)).collect(),
        causes: causes.first().map_or(0, |c| c.causes),
        failed: causes.into_iter().map(|c| c.cause).collect(),
        jobs_unknown: queue.jobs.as_ref().map(|_| "no Redis configured".to_owned()),
        oldest_pending_s: ages.oldest_s,
        age_p50_s: ages.p50_s,
        age_p95_s: ages.p95_s,
        late: ages.late,
        stuck: ages.stuck,
        exhausted: ages.exhausted,
        sync_error_days,
        arrived: minutes.iter().map(|m| m.arrived).collect(),
        finished: minutes.iter().map(|m| m.finished).collect(),
        ..QueueFacts::default()
    })
}

async fn findings(
    tx: &mut dyn ReadTx,
    dialect: &dyn Dialect,
    id: &CheckId,
    queue: &Queue,
    facts: &QueueFacts,
) -> Result<Vec<Finding>> {
    let mut out = Vec::new();
    let mut add = |what: String, severity, message, rows| {
        out.push(Finding { id: format!("{id}/{what}"), severity, message, rows, sample: vec![] });
    };
    if facts.exhausted > 0 {
        let message = format!(
            "{} failed with all {} attempts used: nothing will try them again",
            facts.exhausted, queue.max_attempts
        );
        add("exhausted".into(), Severity::Critical, message, Some(facts.exhausted));
    }
    if facts.stuck > 0 {
        let message = format!(
            "{} in progress for more than {} s: their worker is gone",
            facts.stuck, queue.stuck_after_s
        );
        add("stuck".into(), Severity::Critical, message, Some(facts.stuck));
    }
    if facts.late > 0 {
        let message = format!("{} waiting for more than {} min", facts.late, queue.late_after_s / 60);
        add("late".into(), Severity::Warning, message, Some(facts.late));
    }
    let strange: Vec<(&String, &u64)> =
        facts.states.iter().filter(|(s, _)| !queue.states.all().any(|known| known == *s)).collect();
    if !strange.is_empty() {
        let list: Vec<_> = strange.iter().map(|(state, rows)| format!("{state} ({rows})")).collect();
        let message = format!("states that the profile does not name: {}", list.join(", "));
        add("unknown_states".into(), Severity::Warning, message, Some(strange.iter().map(|(_, n)| *n).sum()));
    }
    for cause in &facts.failed {
        let message = format!("{} × {} ({})", cause.rows, cause.fingerprint, cause.class);
        add(format!("failed/{}", cause.id), Severity::Warning, message, Some(cause.rows));
    }
    if facts.causes > facts.failed.len() as u64 {
        let message = format!("{} more causes, not listed", facts.causes - facts.failed.len() as u64);
        add("more_causes".into(), Severity::Warning, message, None);
    }
    if let Some(days) = facts.sync_error_days.filter(|d| *d > 0) {
        add("sync_error_days".into(), Severity::Info, format!("{days} days carry an error flag"), Some(days));
    }
    if let Some(why) = &facts.jobs_unknown {
        add(
            "jobs_unknown".into(),
            Severity::Info,
            format!("lost, ghost, duplicate and silent jobs: unknown, {why}"),
            None,
        );
    }
    for finding in &mut out {
        let what = finding.what().to_owned();
        if let Some(source) = rows_of(queue, &what) {
            let page = paging::read(tx, dialect, &PageRequest::first(source, SAMPLE)).await?;
            finding.sample = samples(&page);
        }
    }
    Ok(out)
}
