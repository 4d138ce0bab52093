//! Counts, sums and checksums of tables, for the record.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::engine::model::error::{Error, Result};
use crate::engine::model::progress::Phase;
use crate::engine::model::query::Sql;
use crate::engine::model::step::{Step, Task};
use crate::engine::port::reader::{Fut, ReadOptions, Snapshot};
use crate::engine::port::runner::{RunCx, RunStop, Runner, Running};
use crate::features::switchover::run::arguments;
use crate::features::switchover::task::Measure;

/// Counting whole tables may take this long.
const PATIENCE: std::time::Duration = std::time::Duration::from_hours(1);

/// Writes counts into the journal.
pub(crate) struct MeasureTables;

struct Measuring(Measure);

impl Runner for MeasureTables {
    fn task(&self) -> &'static str {
        Measure::TASK
    }
    fn start(&self, task: &Task) -> Result<Box<dyn Running>> {
        Ok(Box::new(Measuring(arguments(task)?)))
    }
}

impl Running for Measuring {
    fn step<'a>(&'a mut self, run: &'a mut RunCx<'_>, _step: &'a Step) -> Fut<'a, Result<(), RunStop>> {
        Box::pin(measure(run, &self.0))
    }
}

#[derive(Deserialize)]
struct Counted {
    table: String,
    rows: u64,
    sums: Value,
    /// Plans of earlier versions do not ask for it.
    #[serde(default)]
    checksum: Option<String>,
}

async fn measure(run: &mut RunCx<'_>, measure: &Measure) -> Result<(), RunStop> {
    run.publish(Phase::Working);
    let options =
        ReadOptions { snapshot: Snapshot::Transaction, timeout: Some(PATIENCE), ..ReadOptions::default() };
    let counted: Result<Vec<Counted>, Error> = async {
        let mut tx = run.facts.begin(options).await?;
        tx.fetch(&Sql::over_rows(&measure.sql)).await
    }
    .await;
    let counted = counted.map_err(RunStop::known)?;
    let counts: Vec<_> = counted
        .into_iter()
        .map(|c| json!({ "table": c.table, "rows": c.rows, "sums": c.sums, "checksum": c.checksum }))
        .collect();
    run.record("stage", &json!({ "stage": measure.stage, "counts": counts })).await
}
