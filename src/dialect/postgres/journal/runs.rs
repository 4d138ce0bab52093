//! Runs as the journal has them.

use serde::Deserialize;

use super::entries::has_blocks;
use super::rows::{IMAGES, PLANNED, without_blocks};

use crate::dialect::postgres::error::cause;
use crate::engine::model::diff::{PlannedRow, Values};
use crate::engine::model::error::Result;
use crate::engine::model::query::{Param, Sql};
use crate::engine::model::record::RunRecord;
use crate::engine::port::journal_sql::{Measured, RunFilter, SameRequest};
use crate::engine::port::reader::ReadTx;

/// A run was interrupted and is not undone: `broke.off`. What the plan of another version lacks keeps no run from the list.
const COLUMNS: &str = "
select r.id::text as id, r.operation, r.name, r.target, r.outcome, r.started_at, r.ended_at, r.operator,
       (select e.body::json ->> 'by' from midwatch.events e
        where e.run = r.id and e.kind = 'resumed' order by e.seq desc limit 1) as resumed_by,
       r.undoes::text as undoes,
       (select max(u.id)::text from midwatch.runs u where u.undoes = r.id and u.applied > 0) as undone_by,
       coalesce(r.plan ->> 'unit', 'rows') as unit, r.planned as rows, r.applied as rows_applied, r.drifted as rows_drifted, r.batch as batches, r.verified,
       broke.off as resumable,
       r.outcome = 'running' and l.pid is not null as live,
       r.message, case when r.outcome <> 'running' then (
         select e.body::json ->> 'code' from midwatch.events e
         where e.run = r.id and e.kind = 'outcome' order by e.seq desc limit 1) end as code,
       r.batch_rows, r.beat_at, coalesce(r.plan -> 'params', '{}') as params, coalesce(r.plan ->> 'undo', '') as undo,
       coalesce(r.plan ->> 'reversible', 'no') as reversible, r.digest";

const FROM: &str = "from midwatch.runs r
left join lateral (select k.pid from pg_locks k
                   where k.locktype = 'advisory' and k.classid = 1835300719 and k.objid = 0 and k.objsubid = 2 and k.granted
                     and k.database = (select oid from pg_database where datname = current_database())
                     and k.pid = r.lock_pid limit 1) l on true
cross join lateral (select (r.resumable or (r.outcome = 'running' and l.pid is null))
         and not exists (select from midwatch.runs u where u.applied > 0
           and (u.undoes = r.id or u.undoes = r.undoes and u.id > r.id)) as off) broke";

/// `$1`: the run that they are later than, `$2`: the operations. Their inverses, and the inverses of those, change names too; a
/// journal whose runs undo each other in a circle ends the search.
const RENAMING: &str = "where r.id > $1 and r.applied > 0
  and (r.plan ? 'renames'
       or exists (with recursive origin(operation, undoes) as (
                    select r.operation, r.undoes
                    union
                    select w.operation, w.undoes from origin o join midwatch.runs w on w.id = o.undoes)
                  select from origin where operation = any ($2::text[])))
order by r.id desc";

fn query(filter: &RunFilter) -> (String, Vec<Param>) {
    match filter {
        RunFilter::Latest { before, limit } => (
            format!("where r.id < $1 order by r.id desc limit {limit}"),
            vec![Param::Int(before.unwrap_or(i64::MAX))],
        ),
        RunFilter::Id(id) => ("where r.id = $1".into(), vec![Param::Int(*id)]),
        RunFilter::Digest(digest) => {
            ("where r.digest = $1 order by r.id desc limit 1".into(), vec![digest.as_str().into()])
        }
        RunFilter::Plan(plan) => {
            ("where r.plan ->> 'id' = $1 order by r.id limit 1".into(), vec![plan.as_str().into()])
        }
        RunFilter::Live => {
            ("where r.outcome = 'running' and l.pid is not null order by r.id desc limit 1".into(), vec![])
        }
        RunFilter::Interrupted { before, limit } => (
            format!("where broke.off and r.id < $1 order by r.id desc limit {limit}"),
            vec![Param::Int(before.unwrap_or(i64::MAX))],
        ),
        RunFilter::Of { verbs, limit } => (
            format!(
                "where r.operation = any ($1::text[]) or r.undoes in (\
                 select u.id from midwatch.runs u where u.operation = any ($1::text[])) order by r.id desc limit {limit}"
            ),
            vec![Param::Texts(verbs.clone())],
        ),
        RunFilter::Standing { verb } => (
            "where r.operation = $1 and r.applied > 0 \
             and not exists (select from midwatch.runs u where u.undoes = r.id and u.applied > 0) order by r.id desc"
                .into(),
            vec![verb.as_str().into()],
        ),
        RunFilter::Renaming { after, verbs } => {
            (RENAMING.into(), vec![Param::Int(*after), Param::Texts(verbs.clone())])
        }
    }
}

pub(in crate::dialect::postgres) async fn runs(
    tx: &mut dyn ReadTx,
    filter: &RunFilter,
) -> Result<Vec<RunRecord>> {
    let (condition, params) = query(filter);
    let mut runs: Vec<RunRecord> =
        tx.fetch(&Sql::new(format!("{COLUMNS}\n{FROM}\n{condition}")).bind(params)).await?;
    for run in &mut runs {
        // Of the code that the run wrote down; one of an earlier version knew no causes.
        run.permanent = run.code.as_deref().is_some_and(|code| cause(code).1);
    }
    Ok(runs)
}

pub(in crate::dialect::postgres) async fn run_ids(
    tx: &mut dyn ReadTx,
    filter: &RunFilter,
) -> Result<Vec<String>> {
    let (condition, params) = query(filter);
    let sql = format!("select r.id::text\n{FROM}\n{condition}");
    Ok(tx.texts(&Sql::new(sql).bind(params)).await?.into_iter().flatten().collect())
}

pub(in crate::dialect::postgres) async fn count(tx: &mut dyn ReadTx, before: i64) -> Result<(u64, u64)> {
    #[derive(Deserialize)]
    struct Count {
        total: u64,
        older: u64,
    }
    let sql = "select count(*) as total, count(*) filter (where id < $1) as older from midwatch.runs";
    let count: Count = tx.one(&Sql::new(sql).bind([Param::Int(before)])).await?;
    Ok((count.total, count.older))
}

pub(in crate::dialect::postgres) async fn step(tx: &mut dyn ReadTx, run: &str) -> Result<Option<usize>> {
    let step = text(tx, "select step::text from midwatch.runs where id = $1::bigint", run).await?;
    Ok(step.and_then(|n| n.parse().ok()))
}

pub(in crate::dialect::postgres) async fn plan_text(
    tx: &mut dyn ReadTx,
    run: &str,
) -> Result<Option<String>> {
    text(tx, "select plan_text from midwatch.runs where id = $1::bigint", run).await
}

pub(in crate::dialect::postgres) async fn plan_texts(
    tx: &mut dyn ReadTx,
    runs: &[i64],
) -> Result<Vec<(i64, String)>> {
    #[derive(Deserialize)]
    struct Stored {
        id: i64,
        plan_text: String,
    }
    let sql = "select id, plan_text from midwatch.runs where id = any ($1::text[]::bigint[]) and plan_text is not null";
    let ids = Param::Texts(runs.iter().map(i64::to_string).collect());
    let stored: Vec<Stored> = tx.fetch(&Sql::new(sql).bind([ids])).await?;
    Ok(stored.into_iter().map(|s| (s.id, s.plan_text)).collect())
}

async fn text(tx: &mut dyn ReadTx, sql: &str, run: &str) -> Result<Option<String>> {
    Ok(tx.texts(&Sql::new(sql).bind([Param::from(run)])).await?.into_iter().flatten().next())
}

/// Planned rows that were left alone because they no longer held what the plan said. A row that was computed again has its
/// image as a row that followed.
pub(in crate::dialect::postgres) async fn drifted(
    tx: &mut dyn ReadTx,
    run: &str,
    limit: u32,
) -> Result<Vec<PlannedRow>> {
    #[derive(Deserialize)]
    struct Row {
        key: Values,
        before: Option<Values>,
        after: Option<Values>,
    }
    let sql = format!(
        "select p.key, p.before, p.after from {PLANNED} p join midwatch.runs r on r.id = p.run \
         where p.run = $1::bigint and r.drifted > 0 and (p.step < r.step or p.step = r.step and p.seq <= r.checkpoint) \
         and not exists (select from {IMAGES} i where i.run = $1::bigint and i.step = p.step and i.seq = p.seq) \
         and not (r.plan #>> array['steps', p.step::text, 'action', 'kind'] = 'compute' \
                  and exists (select from {IMAGES} i where i.run = $1::bigint and i.step = p.step and i.seq is null \
                              and i.key = p.key and i.relation = r.plan #>> array['steps', p.step::text, 'action', 'table'])) \
         order by p.step, p.seq limit {limit}"
    );
    let sql = if has_blocks(tx).await? { sql } else { without_blocks(&sql) };
    let rows: Vec<Row> = tx.fetch(&Sql::new(&sql).bind([Param::from(run)])).await?;
    Ok(rows
        .into_iter()
        .map(|r| PlannedRow { key: r.key, before: r.before, after: r.after, ..PlannedRow::default() })
        .collect())
}

pub(in crate::dialect::postgres) async fn measured(
    tx: &mut dyn ReadTx,
    same: &SameRequest,
) -> Result<Option<Measured>> {
    let sql = "select r.id::text as run, to_char(r.started_at at time zone 'UTC', 'YYYY-MM-DD') as day, \
               (select avg((e.body::json ->> 'ms')::float8) from midwatch.events e where e.run = r.id and e.kind = 'batch') as ms \
               from midwatch.runs r where r.operation = $1 and r.name = $2 and r.plan -> 'params' = $3::jsonb \
               and r.applied > 0 order by r.id desc limit 1";
    let params = [same.operation.as_str().into(), same.name.as_str().into(), same.params.as_str().into()];
    Ok(tx.fetch(&Sql::new(sql).bind(params)).await?.into_iter().next())
}
