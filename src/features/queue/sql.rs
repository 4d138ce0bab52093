//! What the queue's check and operations ask of a server, as its dialect writes it.

use crate::engine::model::change::TypedColumn;
use crate::engine::model::name::Relation;
use crate::engine::model::profile::{FlaggedDays, Queue};
use crate::engine::model::query::ProfileSql;

/// Which rows of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueueRows<'a> {
    /// Failures with this cause, by its id.
    Cause(&'a str),
    /// Rows in this state.
    State(&'a str),
    /// Failed with all attempts used.
    Exhausted,
    /// In progress for longer than the profile allows.
    Stuck,
    /// Waiting for longer than the profile allows.
    Late,
    /// In states that the profile gives no meaning.
    UnknownStates,
}

/// The statements of a queue, from the columns that its profile names.
pub(crate) trait QueueSql: Sync {
    /// `state`, `rows`.
    fn states(&self, queue: &Queue) -> ProfileSql;
    /// `oldest_s`, `p50_s`, `p95_s`, `late`, `stuck`, `exhausted`.
    fn ages(&self, queue: &Queue) -> ProfileSql;
    /// A line for each cause of failure, with the number of all causes as `causes`.
    fn causes(&self, queue: &Queue, limit: usize) -> ProfileSql;
    /// `arrived`, `finished` for each minute of the last half hour.
    fn throughput(&self, queue: &Queue) -> ProfileSql;
    /// Days flagged with an error.
    fn flagged_days(&self, days: &FlaggedDays) -> ProfileSql;
    /// `rows`: how many there are.
    fn count_flagged_days(&self, days: &FlaggedDays) -> ProfileSql;
    /// How many rows a query has.
    fn count(&self, rows: &ProfileSql) -> ProfileSql;
    /// `state` and `rows`: how many rows of a query that gives their states are in one of these.
    fn count_by_state(&self, queue: &Queue, rows: &ProfileSql, among: &[String]) -> ProfileSql;
    /// The rows themselves, to be paged.
    fn rows(&self, queue: &Queue, which: QueueRows<'_>) -> ProfileSql;
    /// `waiting`, `failed`, `done`, `unknown`: what became of rows that were put back, of those in `run_rows`; `table`: the
    /// one that the queue's name led to.
    fn canary(&self, queue: &Queue, table: &Relation, key: &TypedColumn) -> String;
}
