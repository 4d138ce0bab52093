//! Triggers on a pair as steps: those of the tables at once, those of the partitions some at a time, so that writers
//! wait for a portion and not for thousands of statements.

use crate::engine::model::step::{Lock, Step};
use crate::engine::plan::operation::lock;
use crate::features::parity::pair::trigger_ddl::{Statements, Triggers};
use crate::features::switchover::texts;

/// Statements in one transaction: a few milliseconds' worth.
const PORTION: usize = 40;

/// What the steps are about.
pub(crate) struct TriggerSteps<'a> {
    pub(crate) id: &'a str,
    pub(crate) title: &'a str,
    /// The tables whose triggers they are, the partitioned one last.
    pub(crate) tables: &'a [&'a str],
}

impl TriggerSteps<'_> {
    pub(crate) fn create_steps(&self, triggers: &Triggers) -> Vec<Step> {
        self.steps("SHARE ROW EXCLUSIVE", &triggers.make, &triggers.take)
    }

    /// The partitions' first.
    pub(crate) fn drop_steps(&self, triggers: &Triggers) -> Vec<Step> {
        let mut steps = self.steps("ACCESS EXCLUSIVE", &triggers.take, &triggers.make);
        steps.reverse();
        steps
    }

    fn steps(&self, mode: &str, statements: &Statements, back: &Statements) -> Vec<Step> {
        let twin = self.tables.last().copied().unwrap_or_default();
        let moment = texts::steps::locks_with_partitions(mode);
        let tables = self.tables.iter().map(|t| lock(t, if *t == twin { &moment } else { mode }));
        let few = Lock::of_partitions(twin, texts::steps::locks_of_few(mode));
        let step = |id: &str, title: &str, locks, statements: &[String], back: &[String], portion| Step {
            locks,
            portion,
            back: back.to_vec(),
            ..Step::new(id, title, statements.to_vec())
        };
        let whole = step(self.id, self.title, tables.collect(), &statements.tables, &back.tables, None);
        let (id, title) = (format!("{}/partitions", self.id), texts::steps::on_partitions(self.title));
        let parts = step(&id, &title, vec![few], &statements.partitions, &back.partitions, Some(PORTION));
        [whole, parts].into_iter().filter(|s| !s.statements.is_empty()).collect()
    }
}
