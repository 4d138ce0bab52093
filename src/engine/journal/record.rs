//! The journal: what was done, by whom, from what to what; and whether somebody has altered it.

use crate::engine::model::event::Event;
use crate::engine::model::query::Sql;
use crate::engine::model::record::{Altered, Listed, RunRecord};
use crate::engine::model::stored::StoredPlan;
use crate::engine::port::journal_copy::Mirror;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::model::diff::{PlannedRow, Values};
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::identity::Identity;
use crate::engine::model::plan::Plan;
use crate::engine::model::query::Param;
use crate::engine::port::reader::{Facts, ReadOptions, ReadTx};

const RUNS: &str = "
select r.id::text as id, r.operation, r.name, r.target, r.outcome, r.started_at, r.ended_at, r.operator,
       (select e.body::json ->> 'by' from midwatch.events e
        where e.run = r.id and e.kind = 'resumed' order by e.seq desc limit 1) as resumed_by,
       r.undoes::text as undoes,
       (select max(u.id)::text from midwatch.runs u where u.undoes = r.id and u.applied > 0) as undone_by,
       coalesce(r.plan ->> 'unit', 'rows') as unit, r.planned as rows, r.applied as rows_applied, r.drifted as rows_drifted, r.batch as batches, r.verified,
       case when broke.off then s.id::text end as overtaken_by,
       broke.off and s.id is null as resumable,
       r.outcome = 'running' and l.pid is not null as live,
       r.message, case when r.outcome <> 'running' then (
         select e.body::json ->> 'code' from midwatch.events e
         where e.run = r.id and e.kind = 'outcome' order by e.seq desc limit 1) end as code,
       r.batch_rows, r.beat_at, r.plan -> 'params' as params, r.plan ->> 'undo' as undo,
       r.plan ->> 'reversible' as reversible, r.digest
from midwatch.runs r
left join lateral (select k.pid from pg_locks k
                   where k.locktype = 'advisory' and k.classid = 1835300719 and k.objid = 0 and k.objsubid = 2 and k.granted
                     and k.database = (select oid from pg_database where datname = current_database())
                     and k.pid = r.lock_pid limit 1) l on true
cross join lateral (select (r.resumable or (r.outcome = 'running' and l.pid is null))
         and not exists (select from midwatch.runs u where u.applied > 0
           and (u.undoes = r.id or u.undoes = r.undoes and u.id > r.id)) as off) broke
left join lateral (select max(o.id) as id from midwatch.runs o
                   where broke.off and o.id > r.id and o.applied > 0
                     and r.operation in ('repair-triggers', 'copy-missing', 'repair', 'watch', 'switchover', 'rollback', 'cleanup')
                     and exists (select from midwatch.runs w where w.id in (o.id, o.undoes)
                                 and w.operation in ('switchover', 'rollback', 'cleanup'))
                     and ('all' in (r.name, o.name) or string_to_array(r.name, ',') && string_to_array(o.name, ','))) s on true";

/// Whether what stopped a run is permanent, by its dialect; also for codes that an earlier version wrote.
fn classify(facts: &dyn Facts, run: &mut RunRecord) {
    run.permanent = run.code.as_deref().is_some_and(|code| facts.dialect().cause(code).1);
}

fn classified(facts: &dyn Facts, mut runs: Vec<RunRecord>) -> Vec<RunRecord> {
    for run in &mut runs {
        classify(facts, run);
    }
    runs
}

/// The latest runs, or the latest of those before a run.
pub async fn runs(facts: &dyn Facts, limit: u32, before: Option<&str>) -> Result<Listed> {
    #[derive(Deserialize)]
    struct Count {
        total: u64,
        older: u64,
    }
    let number =
        |id: &str| id.parse::<i64>().map_err(|_| Error::usage(format!("{id} is no number of a run")));
    let before = before.map(number).transpose()?.unwrap_or(i64::MAX);
    let options = ReadOptions {
        snapshot: crate::engine::port::reader::Snapshot::Transaction,
        ..ReadOptions::default()
    };
    let mut tx = facts.begin(options).await?;
    let sql = format!("{RUNS}\nwhere r.id < $1 order by r.id desc limit {limit}");
    let runs = classified(facts, tx.fetch(&Sql::new(&sql).bind([Param::Int(before)])).await?);
    let last = runs.last().map(|r| number(&r.id)).transpose()?.unwrap_or(before);
    let sql = "select count(*) as total, count(*) filter (where id < $1) as older from midwatch.runs";
    let count: Count = tx.one(&Sql::new(sql).bind([Param::Int(last)])).await?;
    Ok(Listed { runs, total: count.total, older: count.older })
}

/// All runs of an operation that have done something which none has taken back, newest first.
pub async fn standing_runs(facts: &dyn Facts, operation: &str) -> Result<Vec<RunRecord>> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let sql = format!(
        "select * from ({RUNS}\nwhere r.operation = $1 and r.applied > 0) q where q.undone_by is null order by q.id::bigint desc"
    );
    Ok(classified(facts, tx.fetch(&Sql::new(&sql).bind([Param::from(operation)])).await?))
}

/// The latest runs that swap tables, newest first: `(which, the step it is at, all its steps' ids)`.
pub(crate) async fn swaps(facts: &dyn Facts, limit: u32) -> Result<Vec<Swapping>> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let sql = format!(
        "select q.*, s.step as at, \
         (select json_agg(e.value ->> 'id' order by e.ordinality) from json_array_elements(s.plan::json -> 'steps') with ordinality e) as stages, \
         (select json_build_object('budget_ms', e.value #> '{{action,budget_ms}}', 'attempts', e.value #> '{{action,attempts}}', \
            'preflight', (select json_agg(p.value -> 'status') from json_array_elements(s.plan::json -> 'preflight') p)) \
          from json_array_elements(s.plan::json -> 'steps') e where e.value #>> '{{action,do}}' = 'swap' limit 1) as asked \
         from ({RUNS}\nwhere r.operation in ('switchover', 'rollback') \
           or r.undoes in (select u.id from midwatch.runs u where u.operation in ('switchover', 'rollback')) \
         order by r.id desc limit {limit}) q join midwatch.runs s on s.id = q.id::bigint order by s.id desc"
    );
    let mut found: Vec<Swapping> = tx.fetch(&Sql::new(&sql)).await?;
    for swapping in &mut found {
        classify(facts, &mut swapping.record);
    }
    Ok(found)
}

/// A run that swaps tables.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Swapping {
    #[serde(flatten)]
    pub(crate) record: RunRecord,
    /// The step it is at.
    pub(crate) at: usize,
    /// All of them.
    pub(crate) stages: Vec<String>,
    /// What its plan says of it.
    pub(crate) asked: Option<crate::features::switchover::status::Asked>,
}

/// The step that a run is at; past the last one: all are done.
pub async fn step_of(facts: &dyn Facts, run: &str) -> Result<Option<usize>> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let sql = "select step::text from midwatch.runs where id = $1::bigint";
    Ok(tx.texts(&Sql::new(sql).bind([Param::from(run)])).await?.pop().flatten().and_then(|n| n.parse().ok()))
}

/// Runs that broke off and can be gone on with, however long ago.
pub async fn unfinished(facts: &dyn Facts) -> Result<Vec<RunRecord>> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let sql =
        format!("select * from ({RUNS}) q where q.resumable order by q.id::bigint desc limit {UNFINISHED}");
    Ok(classified(facts, tx.fetch(&Sql::new(&sql)).await?))
}

/// Unfinished runs that are told.
const UNFINISHED: u32 = 20;

/// The run whose executor holds the target's lock right now.
pub async fn live(facts: &dyn Facts) -> Result<Option<RunRecord>> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let sql = format!("{RUNS}\nwhere r.outcome = 'running' and l.pid is not null order by r.id desc limit 1");
    Ok(classified(facts, tx.fetch(&Sql::new(&sql)).await?).into_iter().next())
}

/// The run that a plan with this digest has become.
pub async fn run_of_digest(facts: &dyn Facts, digest: &str) -> Result<Option<RunRecord>> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let sql = format!("{RUNS}\nwhere r.digest = $1 order by r.id desc limit 1");
    Ok(classified(facts, tx.fetch(&Sql::new(&sql).bind([Param::from(digest)])).await?).into_iter().next())
}

/// One run.
pub async fn run(facts: &dyn Facts, id: &str) -> Result<RunRecord> {
    let number: i64 = id.parse().map_err(|_| Error::usage(format!("{id} is no number of a run")))?;
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let found = tx.fetch(&Sql::new(format!("{RUNS}\nwhere r.id = $1")).bind([Param::Int(number)])).await?;
    classified(facts, found).into_iter().next().ok_or_else(|| {
        Error::usage(format!("there is no run {id} in this target's journal"))
            .hint("midwatch runs lists them")
    })
}

/// The plan of a run, as it was approved.
pub async fn plan_of(facts: &dyn Facts, id: &str) -> Result<Plan> {
    Ok(stored_plan_of(facts, id).await?.into_plan())
}

/// The same, with what its text says of its version.
pub async fn stored_plan_of(facts: &dyn Facts, id: &str) -> Result<StoredPlan> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let text = tx
        .texts(&Sql::new("select plan_text from midwatch.runs where id = $1::bigint").bind([Param::from(id)]))
        .await?
        .into_iter()
        .flatten()
        .next()
        .ok_or_else(|| Error::usage(format!("there is no run {id} in this target's journal")))?;
    let plan = StoredPlan::parse(&text).map_err(|e| {
        Error { class: Class::Unobserved, ..e }.context(format!("failed to understand the plan of run {id}"))
    })?;
    let said = tx
        .texts(&Sql::new("select body::json ->> 'digest' from midwatch.events where run = $1::bigint and kind = 'intent' order by seq limit 1").bind([Param::from(id)]))
        .await?;
    let said = said.into_iter().flatten().next();
    if !plan.is_unaltered() || said.as_deref() != Some(&plan.digest) {
        return Err(Error::new(
            Class::Refused,
            format!("the plan of run {id} is not the one of its intent: the journal was altered"),
        )
        .hint("midwatch journal verify"));
    }
    Ok(plan)
}

/// The run that a plan became, if it did.
pub async fn run_of_plan(facts: &dyn Facts, plan: &str) -> Result<Option<String>> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let sql = "select id::text from midwatch.runs where plan ->> 'id' = $1 order by id limit 1";
    Ok(tx.texts(&Sql::new(sql).bind([Param::from(plan)])).await?.into_iter().flatten().next())
}

/// The entries of a run, oldest first.
pub async fn events(facts: &dyn Facts, run: &str) -> Result<Vec<Event>> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    tx.fetch(&Sql::new(format!("{EVENTS} where run = $1::bigint order by seq")).bind([Param::from(run)]))
        .await
}

const EVENTS: &str = "select seq, at, run::text as run, kind, body, prev, hash from midwatch.events";

/// Planned rows that were left alone, the first of them.
pub async fn drifted(facts: &dyn Facts, run: &str, limit: u32) -> Result<Vec<PlannedRow>> {
    #[derive(Deserialize)]
    struct Row {
        key: Values,
        before: Option<Values>,
        after: Option<Values>,
    }
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let sql = format!(
        "select d.key, d.before, d.after from midwatch.drifted d where d.run = $1::bigint order by d.step, d.seq limit {limit}"
    );
    let rows: Vec<Row> = tx.fetch(&Sql::new(&sql).bind([Param::from(run)])).await?;
    Ok(rows
        .into_iter()
        .map(|r| PlannedRow { key: r.key, before: r.before, after: r.after, ..PlannedRow::default() })
        .collect())
}

/// What a look at the whole journal found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Entries looked at.
    pub entries: u64,
    /// Runs whose before-images were compared with their entries.
    pub runs: u64,
    /// Where the mirror is, if there is one.
    pub mirror: Option<String>,
    /// Entries of the mirror that were compared.
    pub mirrored: u64,
    /// What was compared, in words.
    pub compared: Vec<String>,
    /// What is wrong.
    pub findings: Vec<String>,
}

/// Looks at the whole chain, at the images behind it, and at the mirror.
pub async fn verify(facts: &dyn Facts, mirror: &dyn Mirror, target: &Identity) -> Result<Verified> {
    let mut tx = facts
        .begin(ReadOptions {
            snapshot: crate::engine::port::reader::Snapshot::Transaction,
            timeout: Some(std::time::Duration::from_hours(1)),
            ..ReadOptions::default()
        })
        .await?;
    let mut out = Verified::default();
    let mut mirrored: BTreeMap<i64, Event> = BTreeMap::new();
    if let Some(kept) = mirror.read(target)? {
        out.mirror = Some(mirror.place(target));
        mirrored = kept.into_iter().map(|e| (e.seq, e)).collect();
    }
    chain(&mut *tx, &mut out, &mut mirrored).await?;
    for (seq, event) in &mirrored {
        out.findings.push(format!("entry {seq} ({}) is in the mirror and not in the journal", event.kind));
    }
    images(&mut *tx, &mut out).await?;
    drop(tx);
    plans(facts, &mut out).await?;
    out.compared
        .push(format!("{} entries: numbers without gaps, each with the hash of the one before", out.entries));
    out.compared
        .push(format!("before-images of {} runs with the counts and sums in their entries", out.runs));
    out.compared.push(match &out.mirror {
        Some(place) => format!("{} entries with the mirror {place}", out.mirrored),
        None => "no mirror on this machine: a cut tail cannot be told".into(),
    });
    Ok(out)
}

async fn chain(tx: &mut dyn ReadTx, out: &mut Verified, mirrored: &mut BTreeMap<i64, Event>) -> Result<()> {
    const PAGE: usize = 2_000;
    let (mut prev, mut last) = (String::new(), 0_i64);
    loop {
        let sql = format!("{EVENTS} where seq > $1 order by seq limit {PAGE}");
        let events: Vec<Event> = tx.fetch(&Sql::new(&sql).bind([Param::Int(last)])).await?;
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
            if let Some(kept) = mirrored.remove(&event.seq) {
                out.mirrored += 1;
                if kept != *event {
                    out.findings.push(format!("entry {} differs from the mirror", event.seq));
                }
            }
            out.entries += 1;
            prev.clone_from(&event.hash);
            last = event.seq;
        }
        if events.len() < PAGE {
            break;
        }
    }
    let head = tx.texts(&Sql::new("select seq::text || ' ' || hash from midwatch.head")).await?;
    if head.first().and_then(|h| h.as_deref()) != Some(&format!("{last} {prev}")) {
        out.findings
            .push(format!("the journal's head does not name entry {last}: the tail was cut or altered"));
    }
    Ok(())
}

/// What was approved is what the chained intents say.
async fn plans(facts: &dyn Facts, out: &mut Verified) -> Result<()> {
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let ids = tx.texts(&Sql::new("select id::text from midwatch.runs order by id")).await?;
    drop(tx);
    for run in ids.into_iter().flatten() {
        if let Err(e) = plan_of(facts, &run).await {
            out.findings.push(e.message);
        }
    }
    Ok(())
}

/// Every batch's entry says how many images it kept and the sum of their hashes.
async fn images(tx: &mut dyn ReadTx, out: &mut Verified) -> Result<()> {
    #[derive(Deserialize)]
    struct Wrong {
        run: String,
        batch: i64,
        said: Option<String>,
        found: Option<String>,
    }
    let count = tx
        .texts(&Sql::new("select count(distinct run)::text from midwatch.events where kind = 'batch'"))
        .await?;
    out.runs = count.into_iter().flatten().next().and_then(|t| t.parse().ok()).unwrap_or(0);
    let wrong: Vec<Wrong> = tx.fetch(&Sql::new(include_str!("images.sql"))).await?;
    out.findings.extend(wrong.into_iter().map(|w| {
        let or = |t: Option<String>| t.unwrap_or_else(|| "nothing".into());
        format!(
            "images of run {} batch {}: its entry says {}, there is {}",
            w.run,
            w.batch,
            or(w.said),
            or(w.found)
        )
    }));
    let altered: Vec<Value> = tx.fetch(&Sql::new(include_str!("planned.sql"))).await?;
    out.findings.extend(
        altered.iter().map(|a| format!("the planned rows of run {} are not those of its intent", a["run"])),
    );
    let altered: Vec<Altered> = tx.fetch(&Sql::new(ROWS_OF_RUNS).bind([Param::Text(None)])).await?;
    out.findings.extend(altered.iter().map(Altered::text));
    Ok(())
}

/// A run's row against its entries; `$1`: the run, null: all. What goes on is in both, in one transaction.
pub const ROWS_OF_RUNS: &str = include_str!("rows_of_runs.sql");
