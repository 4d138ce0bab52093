//! What is asked of the planner, and what it answers.

use crate::engine::model::diff::PlannedRow;
use crate::engine::model::param::Params;
use crate::engine::model::plan::Plan;
use crate::engine::model::row_store::RowSet;
use std::sync::Arc;

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// An operation on something.
    Operation {
        /// The verb.
        verb: String,
        /// On what; absent: the only one there is.
        name: Option<String>,
        /// Its `--set` keys.
        params: Params,
    },
    /// The inverse of a run.
    Undo {
        /// Its number.
        run: String,
    },
}

/// A plan and all its rows.
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Its rows.
    pub rows: Arc<dyn RowSet>,
}

/// What is known while a plan is made.
#[derive(Debug, Clone, PartialEq)]
pub enum PlanNews {
    /// The first rows.
    First(Vec<PlannedRow>),
    /// Rows read so far.
    Counted(u64),
    /// What takes its time.
    Doing(String),
}

/// The verb of an inverse plan.
pub const UNDO: &str = "undo";

/// What a plan was an answer to.
pub fn request_of(plan: &Plan) -> Request {
    match &plan.undoes {
        Some(run) if plan.operation == UNDO => Request::Undo { run: run.clone() },
        _ => Request::Operation {
            verb: plan.operation.clone(),
            name: Some(plan.name.clone()),
            params: Params(plan.params.clone()),
        },
    }
}
