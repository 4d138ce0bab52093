//! A backup of the tables before they are swapped.

use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::progress::Phase;
use crate::engine::model::step::{Step, Task};
use crate::engine::port::backups::Dump;
use crate::engine::port::reader::Fut;
use crate::engine::port::runner::{RunCx, RunStop, Runner, Running};
use crate::features::switchover::run::arguments;
use crate::features::switchover::task::DUMP_TASK;

/// Makes a backup.
pub(crate) struct DumpTables;

struct Dumping(Dump);

impl Runner for DumpTables {
    fn task(&self) -> &'static str {
        DUMP_TASK
    }
    fn start(&self, task: &Task) -> Result<Box<dyn Running>> {
        Ok(Box::new(Dumping(arguments(task)?)))
    }
}

impl Running for Dumping {
    fn step<'a>(&'a mut self, run: &'a mut RunCx<'_>, _step: &'a Step) -> Fut<'a, Result<(), RunStop>> {
        Box::pin(dump(run, &self.0))
    }
}

async fn dump(run: &mut RunCx<'_>, dump: &Dump) -> Result<(), RunStop> {
    run.publish(Phase::Working);
    let number = run.begun.run.clone();
    let made = run.adapters.backups.dump(dump, &number).await.map_err(RunStop::known)?;
    if dump.verify && made.verified.is_none() {
        let e = Error::new(Class::Failed, format!("the backup {} could not be proved", made.file));
        return Err(RunStop::known(e.hint("--set backup=unverified goes on with it as it is")));
    }
    let body = serde_json::to_value(&made).unwrap_or_default();
    run.record("backup", &body).await
}
