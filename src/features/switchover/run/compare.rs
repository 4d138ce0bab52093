//! Are both sides equal: all rows in one snapshot, and what was written since in later ones.

use serde::Deserialize;
use serde_json::json;

use crate::engine::model::cause::Cause;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::progress::Phase;
use crate::engine::model::query::{Param, Sql};
use crate::engine::model::step::{Step, Task};
use crate::engine::port::reader::{Fut, ReadOptions, ReadTx, Reader, Snapshot};
use crate::engine::port::runner::{RunCx, RunStop, Runner, Running};
use crate::features::switchover::progress::SwitchoverProgress;
use crate::features::switchover::run::arguments;
use crate::features::switchover::task::{EqualityQueries, EqualityQuery};

/// A comparison of whole tables may take this long.
const PATIENCE: std::time::Duration = std::time::Duration::from_hours(1);

/// Compares all rows of each twin pair.
pub(crate) struct CompareTwins;

struct ComparingTwins(EqualityQueries);

impl Runner for CompareTwins {
    fn task(&self) -> &'static str {
        EqualityQueries::TASK
    }
    fn start(&self, task: &Task) -> Result<Box<dyn Running>> {
        Ok(Box::new(ComparingTwins(arguments(task)?)))
    }
}

impl Running for ComparingTwins {
    fn step<'a>(&'a mut self, run: &'a mut RunCx<'_>, _step: &'a Step) -> Fut<'a, Result<(), RunStop>> {
        Box::pin(compare_all(run, &self.0.proofs))
    }
}

/// Equal, and when.
#[derive(Debug, Clone)]
pub(super) struct LastComparison {
    pub(super) snapshot: String,
    pub(super) fingerprints: Vec<Option<String>>,
}

#[derive(Deserialize)]
struct Now {
    snapshot: String,
}

async fn one_snapshot(facts: &dyn Reader) -> Result<(Box<dyn ReadTx>, String)> {
    let options =
        ReadOptions { snapshot: Snapshot::Transaction, timeout: Some(PATIENCE), ..ReadOptions::default() };
    let mut tx = facts.begin(options).await?;
    let now: Now = tx.one(&Sql::new("select pg_current_snapshot()::text as snapshot")).await?;
    Ok((tx, now.snapshot))
}

async fn number(tx: &mut dyn ReadTx, sql: &str, params: &[Param]) -> Result<u64> {
    let text = tx.texts(&Sql::over_rows(sql).bind(params)).await?.pop().flatten().unwrap_or_default();
    text.parse().map_err(|_| Error::unobserved(format!("the server's answer is no number: {text:?}")))
}

async fn fingerprints(tx: &mut dyn ReadTx, proofs: &[EqualityQuery]) -> Result<Vec<Option<String>>> {
    let mut out = Vec::new();
    for proof in proofs {
        let Some(since) = &proof.since else {
            out.push(None);
            continue;
        };
        let found = tx.texts(&Sql::new(&since.fingerprint)).await?.into_iter().flatten().next();
        let found = found.ok_or_else(|| {
            Error::new(Class::Failed, format!("the write marker of {} is not complete", proof.name))
                .hint(format!("midwatch plan watch {} installs it again", proof.name))
        })?;
        out.push(Some(found));
    }
    Ok(out)
}

pub(super) fn unequal(name: &str, rows: u64) -> Error {
    Error::new(Class::Failed, format!("{rows} rows of {name} differ"))
        .cause(Cause::Unequal)
        .hint(format!("midwatch check parity/{name} shows them; midwatch plan repair {name}"))
}

/// All rows of each twin, in one snapshot.
pub(super) async fn compare_all(run: &mut RunCx<'_>, proofs: &[EqualityQuery]) -> Result<(), RunStop> {
    run.kept.forget::<LastComparison>();
    run.publish(Phase::Verifying);
    let facts = run.facts;
    let compared = async {
        let (mut tx, snapshot) = one_snapshot(facts).await?;
        let fingerprints = fingerprints(&mut *tx, proofs).await?;
        for proof in proofs {
            let sql = format!("select count(*)::text from ({}\n) q", proof.sql);
            match number(&mut *tx, &sql, &[]).await? {
                0 => {}
                rows => return Err(unequal(&proof.name, rows)),
            }
        }
        Ok(LastComparison { snapshot, fingerprints })
    };
    let proved = compared.await.map_err(|e| differs(run, e))?;
    let names: Vec<_> = proofs.iter().map(|p| p.name.as_str()).collect();
    let body = json!({ "stage": "COMPARED", "twins": names, "snapshot": proved.snapshot, "differ": 0 });
    let now = run.millis();
    SwitchoverProgress::update(&mut run.progress, |p| p.equal_at = Some(now));
    run.kept.put(proved);
    run.record("stage", &body).await
}

/// What was written since the last proof, in a snapshot of its own: how many rows that was.
pub(super) async fn catch_up(run: &mut RunCx<'_>, proofs: &[EqualityQuery]) -> Result<u64, RunStop> {
    let Some(proved) = run.kept.get::<LastComparison>().cloned() else { return Ok(0) };
    // Nothing tells what was written since: only comparing everything would, and its caller does that.
    if proofs.iter().any(|p| p.since.is_none()) {
        return Ok(0);
    }
    let facts = run.facts;
    let looked = async {
        let (mut tx, snapshot) = one_snapshot(facts).await?;
        let now = fingerprints(&mut *tx, proofs).await?;
        if now != proved.fingerprints {
            return Err(Error::new(
                Class::Failed,
                "a write marker was changed since both sides were compared",
            )
            .hint("who alters triggers there? go on when it is quiet: everything is compared again"));
        }
        let since = [Param::from(proved.snapshot.as_str())];
        let mut marked = 0;
        for proof in proofs {
            let Some(sql) = &proof.since else { continue };
            marked += number(&mut *tx, &sql.marked, &since).await?;
            let differ = format!("select count(*)::text from ({}\n) q", sql.differ);
            match number(&mut *tx, &differ, &since).await? {
                0 => {}
                rows => return Err(unequal(&proof.name, rows)),
            }
        }
        Ok((LastComparison { snapshot, fingerprints: now }, marked))
    };
    match looked.await {
        Ok((proved, marked)) => {
            run.kept.put(proved);
            let now = run.millis();
            SwitchoverProgress::update(&mut run.progress, |p| p.equal_at = Some(now));
            SwitchoverProgress::update(&mut run.progress, |p| p.compared += marked);
            Ok(marked)
        }
        Err(e) => Err(differs(run, e)),
    }
}

/// A comparison that failed; the room shows where it found rows that differ.
pub(super) fn differs(run: &mut RunCx<'_>, e: Error) -> RunStop {
    if e.cause == Cause::Unequal {
        SwitchoverProgress::update(&mut run.progress, |p| p.differing += 1);
    }
    RunStop::known(e)
}
