//! The journal's tables: what makes them and what reads them. What writes them is the dialect's writer.
//!
//! Each method reads in a transaction that the caller owns. Runs and entries come as the journal keeps them: whether
//! a run is overtaken, whether an entry was altered, is the engine's to find out.

use crate::engine::model::diff::PlannedRow;
use crate::engine::model::error::Result;
use crate::engine::model::event::Event;
use crate::engine::model::installation::Installation;
use crate::engine::model::journal_state::JournalState;
use crate::engine::model::preflight::{Preflight, Verification};
use crate::engine::model::record::{Altered, RunRecord};
use crate::engine::model::step::Lock;
use crate::engine::port::read_tx::{Fut, ReadTx};

/// Makes and reads the journal.
pub trait JournalSql: Sync {
    /// What applies these files of the journal, and lets these roles work with it.
    fn install(&self, pending: &[String], operators: &[String]) -> Result<Install>;
    /// May this role do so? Without pending files only roles are admitted.
    fn may_install<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        role: &'a str,
        pending: &'a [String],
    ) -> Fut<'a, Result<Preflight>>;
    /// Which of these roles the server does not have.
    fn unknown_grantees<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        roles: &'a [String],
    ) -> Fut<'a, Result<Vec<String>>>;
    /// Is the journal here, whole, of this version, and for this role?
    fn state<'a>(&'a self, tx: &'a mut dyn ReadTx) -> Fut<'a, Result<JournalState>>;
    /// Refuses where a role with less rights could have something run with ours by reading the journal; asked before it is
    /// read. A dialect whose tables run nothing has nothing to refuse.
    fn readable<'a>(&'a self, _: &'a mut dyn ReadTx) -> Fut<'a, Result<()>> {
        Box::pin(async { Ok(()) })
    }
    /// Runs, newest first; `resumable`: it was interrupted and is not undone. Later changes of names are not looked at.
    fn runs<'a>(&'a self, tx: &'a mut dyn ReadTx, filter: &'a RunFilter) -> Fut<'a, Result<Vec<RunRecord>>>;
    /// Their numbers alone: also of runs whose rows were altered so that they cannot be read.
    fn run_ids<'a>(&'a self, tx: &'a mut dyn ReadTx, filter: &'a RunFilter) -> Fut<'a, Result<Vec<String>>>;
    /// How many runs there are, and how many older than this one.
    fn count<'a>(&'a self, tx: &'a mut dyn ReadTx, before: i64) -> Fut<'a, Result<(u64, u64)>>;
    /// The step that a run is at; past the last one: all are done.
    fn step<'a>(&'a self, tx: &'a mut dyn ReadTx, run: &'a str) -> Fut<'a, Result<Option<usize>>>;
    /// As stored: digests are made of this text, never of what we would write today.
    fn plan_text<'a>(&'a self, tx: &'a mut dyn ReadTx, run: &'a str) -> Fut<'a, Result<Option<String>>>;
    /// The same of several runs at once, with their numbers; in any order, without those that have none.
    fn plan_texts<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        runs: &'a [i64],
    ) -> Fut<'a, Result<Vec<(i64, String)>>>;
    /// Planned rows of a run that had changed and were left alone, the first of them.
    fn drifted<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        run: &'a str,
        limit: u32,
    ) -> Fut<'a, Result<Vec<PlannedRow>>>;
    /// How the same was done here last: what its locks are expected to be held for.
    fn measured<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        same: &'a SameRequest,
    ) -> Fut<'a, Result<Option<Measured>>>;
    /// Entries, oldest first.
    fn events<'a>(&'a self, tx: &'a mut dyn ReadTx, filter: &'a EventFilter) -> Fut<'a, Result<Vec<Event>>>;
    /// Public keys of those who wrote entries; none in a journal of an earlier version.
    fn installations<'a>(&'a self, tx: &'a mut dyn ReadTx) -> Fut<'a, Result<Vec<Installation>>>;
    /// How many runs each of them has begun, by fingerprint.
    fn runs_begun<'a>(&'a self, tx: &'a mut dyn ReadTx) -> Fut<'a, Result<Vec<(String, u64)>>>;
    /// Number and hash of the entry that the journal's head names.
    fn head<'a>(&'a self, tx: &'a mut dyn ReadTx) -> Fut<'a, Result<Option<(i64, String)>>>;
    /// Parts of the rows of runs that their entries do not bear out; of one run, or of all.
    fn altered<'a>(&'a self, tx: &'a mut dyn ReadTx, run: Option<&'a str>) -> Fut<'a, Result<Vec<Altered>>>;
    /// Before-images and planned rows against the sums in the entries; of one run, or of all.
    fn altered_rows<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        run: Option<&'a str>,
    ) -> Fut<'a, Result<AlteredRows>>;
    /// What the journal has and no run of it says, in words: entries of runs that are not there, files that were not
    /// applied as they are.
    fn strays<'a>(&'a self, tx: &'a mut dyn ReadTx) -> Fut<'a, Result<Vec<String>>>;
    /// The first entry that is signed.
    fn first_signed<'a>(&'a self, tx: &'a mut dyn ReadTx) -> Fut<'a, Result<Option<i64>>>;
    /// From this entry on, the first whose hash is not that of what it says, or that does not follow the one before.
    fn chain_break<'a>(&'a self, tx: &'a mut dyn ReadTx, from: i64) -> Fut<'a, Result<Option<i64>>>;
    /// The first entry that names each installation, by fingerprint.
    fn first_entries<'a>(&'a self, tx: &'a mut dyn ReadTx) -> Fut<'a, Result<Vec<(String, i64)>>>;
}

/// What makes the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Install {
    /// In order; where the server has transactions for them, all are one.
    pub steps: Vec<InstallStep>,
    /// Locks that are taken.
    pub locks: Vec<Lock>,
    /// What is asked afterwards.
    pub verify: Vec<Verification>,
    /// How the privileges of the roles are revoked, where that is all it does.
    pub revoke: Option<String>,
}

/// A part of what makes the journal. `init` makes all parts in one transaction, so it asks no probe; `tests/dialects`
/// does, before and after each part, for servers that commit each definition by itself and can be cut off between two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallStep {
    /// The file, or what is granted.
    pub title: String,
    /// In order.
    pub statements: Vec<String>,
    /// Every row of its query is something that is not there yet.
    pub probe: Verification,
}

impl Install {
    /// All statements, in order.
    pub fn statements(&self) -> Vec<String> {
        self.steps.iter().flat_map(|s| s.statements.iter().cloned()).collect()
    }
}

/// Which runs are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunFilter {
    /// The latest, or the latest of those before a run.
    Latest {
        /// Older than this one.
        before: Option<i64>,
        /// So many at most.
        limit: u32,
    },
    /// This one.
    Id(i64),
    /// The latest that a plan with this digest has become.
    Digest(String),
    /// The first that the plan of this name has become.
    Plan(String),
    /// The one whose executor holds the target's lock right now.
    Live,
    /// Those that were interrupted and can be resumed.
    Interrupted {
        /// Older than this one.
        before: Option<i64>,
        /// So many at most.
        limit: u32,
    },
    /// The latest of these operations, and of what undoes them.
    Of {
        /// The operations.
        verbs: Vec<String>,
        /// So many at most.
        limit: u32,
    },
    /// Runs of an operation that have changed something which none has undone.
    Standing {
        /// The operation.
        verb: String,
    },
    /// Later runs that have changed something and whose plan declares changes of names; also those of these
    /// operations, and of what undoes them: plans of older versions declare none.
    Renaming {
        /// Later than this one.
        after: i64,
        /// Operations that change names.
        verbs: Vec<String>,
    },
}

/// Which entries are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Of this run; absent: of all.
    pub run: Option<String>,
    /// Of this kind; absent: of all.
    pub kind: Option<String>,
    /// After this number.
    pub after: i64,
    /// So many at most.
    pub limit: Option<u32>,
}

/// An operation as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SameRequest {
    /// The verb.
    pub operation: String,
    /// On what.
    pub name: String,
    /// Its parameters, as JSON.
    pub params: String,
}

/// What a run measured.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
pub struct Measured {
    /// The run.
    pub run: String,
    /// The day it was begun.
    pub day: String,
    /// The mean of its batches (milliseconds), where it had any.
    pub ms: Option<f64>,
}

/// Rows of the journal that the entries do not bear out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlteredRows {
    /// Runs whose before-images were compared with their entries.
    pub runs: u64,
    /// Batches whose before-images differ.
    pub images: Vec<AlteredImages>,
    /// Runs whose planned rows differ.
    pub planned: Vec<String>,
}

/// A batch whose before-images its entry does not bear out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct AlteredImages {
    /// Its run.
    pub run: String,
    /// Its number.
    pub batch: i64,
    /// Count and sum that the entry has.
    pub said: Option<String>,
    /// Count and sum of the images that are there.
    pub found: Option<String>,
}
