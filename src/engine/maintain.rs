//! What console and command line ask of the engine to change something: the one door.

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use super::error::{Error, Result};
use super::guard::{Approved, Gate};
use super::journal::{Mirror, RunRecord};
use super::operation::{Offer, Params};
use super::plan::{Plan, PlannedRow};
use super::ports::Fut;
use super::progress::{Control, Done, Watcher};
use super::rowset::{RowSet, Spools};
use super::writer::Writers;

/// What changing needs from the outside.
pub struct Means {
    /// The writing side; only an approval opens it.
    pub writers: Arc<dyn Writers>,
    /// Where planned rows are kept.
    pub spools: Arc<dyn Spools>,
    /// The journal's copy.
    pub mirror: Arc<dyn Mirror>,
    /// Lets time pass.
    pub sleep: fn(Duration) -> Fut<'static, ()>,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// An operation on something.
    Operation {
        /// The verb.
        verb: String,
        /// On what; absent: the only one there is.
        name: Option<String>,
        /// How.
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
}

impl Engine {
    /// What could be done here, and why not.
    pub fn offers(&self) -> Vec<Offer> {
        vec![]
    }

    /// Plans; nothing is written anywhere but into a file of ours.
    pub async fn plan(&self, request: &Request, news: &(dyn Fn(PlanNews) + Send + Sync)) -> Result<Planned> {
        let _ = (request, news);
        Err(Error::usage("not yet"))
    }

    /// A plan from a file, checked against itself.
    pub fn open_plan(&self, plan: Plan, rows: Arc<dyn RowSet>) -> Result<Planned> {
        let _ = (plan, rows);
        Err(Error::usage("not yet"))
    }

    /// May it be confirmed, and how?
    pub async fn review(&self, planned: Planned, headless: bool) -> Result<Gate> {
        let _ = (planned, headless);
        Err(Error::usage("not yet"))
    }

    /// May this unfinished run go on? `None`: there is nothing left to do.
    pub async fn review_resume(&self, run: &str) -> Result<Option<Approved>> {
        let _ = run;
        Err(Error::usage("not yet"))
    }

    /// Does what was approved: once, as planned, or says how far it came.
    pub async fn run(&self, approved: Approved, control: &Control, watcher: Watcher<'_>) -> Done {
        let _ = (approved, control, watcher);
        Done {
            run: None,
            outcome: super::journal::Outcome::Refused,
            applied: 0,
            drifted: 0,
            verified: None,
            proof: vec![],
            failure: Some(Error::usage("not yet")),
            moved: None,
            resumable: false,
        }
    }

    /// The latest runs, newest first.
    pub async fn runs(&self, limit: u32) -> Result<Vec<RunRecord>> {
        super::journal::runs(&*self.facts, limit).await
    }
}
