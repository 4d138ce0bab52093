//! After the swap: both sides must stay equal for a while.

use serde_json::json;

use crate::engine::model::error::Result;
use crate::engine::model::progress::Phase;
use crate::engine::model::step::{Step, Task};
use crate::engine::port::reader::Fut;
use crate::engine::port::runner::{RunCx, RunStop, Runner, Running};
use crate::engine::run::limits::LOOK_AGAIN;
use crate::features::switchover::progress::SwitchoverProgress;
use crate::features::switchover::run::arguments;
use crate::features::switchover::run::compare::{LastComparison, catch_up, compare_all};
use crate::features::switchover::task::Monitor;

/// Between two looks at what is monitored.
const LOOK_EVERY_MS: i64 = 1_000;

/// Compares what is written after the swap.
pub(crate) struct MonitorTwins;

struct Monitoring(Monitor);

impl Runner for MonitorTwins {
    fn task(&self) -> &'static str {
        Monitor::TASK
    }
    fn start(&self, task: &Task) -> Result<Box<dyn Running>> {
        Ok(Box::new(Monitoring(arguments(task)?)))
    }
}

impl Running for Monitoring {
    fn step<'a>(&'a mut self, run: &'a mut RunCx<'_>, _step: &'a Step) -> Fut<'a, Result<(), RunStop>> {
        Box::pin(monitor(run, &self.0))
    }
}

/// What was equal at the switch must stay equal: rows written since are compared every second; where nothing marks
/// them, everything is compared at the end.
async fn monitor(run: &mut RunCx<'_>, monitor: &Monitor) -> Result<(), RunStop> {
    run.publish(Phase::Working);
    let marked = monitor.is_marked();
    if marked && run.kept.get::<LastComparison>().is_none() {
        compare_all(run, &monitor.proofs).await?;
    }
    let until = run.millis() + i64::try_from(monitor.seconds).unwrap_or(0) * 1_000;
    let mut next = run.millis();
    loop {
        run.obey_control().await?;
        if marked && run.millis() >= next {
            next = run.millis() + LOOK_EVERY_MS;
            catch_up(run, &monitor.proofs).await?;
        }
        let left = (until - run.millis()).max(0);
        run.progress.eta_s = Some(u64::try_from(left).unwrap_or(0) / 1_000);
        run.publish(Phase::Working);
        if left == 0 {
            break;
        }
        (run.adapters.sleep)(LOOK_AGAIN).await;
        run.still_locked().await?;
    }
    run.progress.eta_s = None;
    if !marked {
        compare_all(run, &monitor.proofs).await?;
    }
    let how = if marked { "rows written since, every second" } else { "all rows, once at the end" };
    let seen = SwitchoverProgress::from_run(&run.progress);
    let body = json!({ "stage": "MONITOR", "seconds": monitor.seconds, "how": how, "compared": seen.compared, "differ": seen.differing });
    run.record("stage", &body).await
}
