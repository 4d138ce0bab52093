//! A kind of read-only check.

use std::time::Duration;

use crate::engine::check::paging::RowSource;
use crate::engine::model::error::Result;
use crate::engine::model::identity::Identity;
use crate::engine::model::name::Relation;
use crate::engine::model::param::{ParamSpec, Params};
use crate::engine::model::profile::Profile;
use crate::engine::model::report::{CheckId, Note, Report};
use crate::engine::model::target::{Environment, ServerInfo};
use crate::engine::port::copies::Copies;
use crate::engine::port::dialect::Dialect;
use crate::engine::port::files::Files;
use crate::engine::port::name_changes::NameChanges;
use crate::engine::port::reader::{Fut, ReadOptions, ReadTx, Reader};
use crate::engine::port::state::State;

/// What is fixed about a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckSpec {
    /// The word in ids and on the command line.
    pub kind: &'static str,
    /// The pane's title.
    pub title: &'static str,
    /// One line for help.
    pub about: &'static str,
    /// How often the console looks again by itself.
    pub every: Duration,
    /// What it takes.
    pub params: &'static [ParamSpec],
}

/// How far a check is. Only one that may take long tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckProgress {
    /// What it is doing, in a word or two.
    pub doing: &'static str,
    /// Pieces that are read, those of the look that it goes on with as well.
    pub done: u64,
    /// Pieces in all.
    pub pieces: u64,
    /// Rows that this look has read, of both sides.
    pub rows: u64,
    /// When its snapshot was taken, by the server's clock.
    pub snapshot_at: String,
}

/// Where news of a check go.
pub type CheckProgressSink<'a> = &'a (dyn Fn(CheckProgress) + Send + Sync);

/// Nobody listens.
pub const SILENT: CheckProgressSink<'static> = &|_| {};

/// A table whose name means another one since a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// What it was called.
    pub before: Relation,
    /// What it is called now.
    pub now: Relation,
}

/// What a check may use: nothing here can write.
#[derive(Clone, Copy)]
pub struct CheckCx<'a> {
    /// Read-only transactions.
    pub facts: &'a dyn Reader,
    /// Files named by the profile.
    pub files: &'a dyn Files,
    /// What to watch.
    pub profile: &'a Profile,
    /// Who the server is.
    pub server: &'a ServerInfo,
    /// How dangerous it is.
    pub environment: Environment,
    /// The target's configuration accepts a connection that can be read and altered.
    pub insecure: bool,
    /// Throwaway copies of the target.
    pub copies: &'a dyn Copies,
    /// What is kept of the target between two runs of the program.
    pub state: &'a dyn State,
    /// How far it is.
    pub tell: CheckProgressSink<'a>,
    /// The operations that change names: what the journal's runs gave other names.
    pub names: &'a dyn NameChanges,
    /// The kinds of checks: what other features know.
    pub checks: &'static [&'static dyn Check],
}

impl CheckCx<'_> {
    /// The target's dialect.
    pub fn dialect(&self) -> &'static dyn Dialect {
        self.facts.dialect()
    }

    /// A transaction whose statements each see the present.
    pub async fn read(&self) -> Result<Box<dyn ReadTx>> {
        self.facts.begin(ReadOptions::default()).await
    }

    /// Tables whose names mean others since a run, as the catalog itself shows.
    pub async fn renamed(&self, tx: &mut dyn ReadTx) -> Result<Vec<Renamed>> {
        let mut out = Vec::new();
        for check in self.checks {
            out.extend(check.renamed(tx, self.profile).await?);
        }
        Ok(out)
    }

    /// A transaction opened as asked.
    pub async fn read_with(&self, options: ReadOptions) -> Result<Box<dyn ReadTx>> {
        self.facts.begin(options).await
    }
}

/// A kind of check. Each is one file of a feature, registered in `features/mod.rs`.
pub trait Check: Sync {
    /// What is fixed about it.
    fn spec(&self) -> &'static CheckSpec;
    /// What it watches under a profile.
    fn names(&self, profile: &Profile) -> Vec<String>;
    /// Refuses keys that exclude each other; each by itself is as its spec says.
    fn accept(&self, params: &Params) -> Result<()> {
        let _ = params;
        Ok(())
    }
    /// Looks, as its keys say. It reads its own and ignores others: several kinds may be run with the same.
    fn observe<'a>(
        &'a self,
        cx: &'a CheckCx<'a>,
        id: &'a CheckId,
        params: &'a Params,
    ) -> Fut<'a, Result<Report>>;
    /// What people read below the summary of a report, from its facts and the time it was made at.
    fn notes(&self, report: &Report) -> Vec<Note> {
        let _ = report;
        vec![]
    }
    /// Tables that it reads and the profile does not name, as a profile would: a role that reads needs them, too.
    fn reads(&self, dialect: &dyn Dialect, profile: &Profile) -> Vec<String> {
        let _ = (dialect, profile);
        vec![]
    }
    /// The rows behind a finding, where they can be paged.
    fn rows(&self, dialect: &dyn Dialect, profile: &Profile, name: &str, finding: &str) -> Option<RowSource> {
        let _ = (dialect, profile, name, finding);
        None
    }
    /// Is what a check of this name read before it was interrupted kept, so that `resume` continues it?
    fn unfinished(&self, state: &dyn State, target: &Identity, name: &str) -> bool {
        let _ = (state, target, name);
        false
    }
    /// Tables whose names this feature's runs have given to others, as the catalog itself shows: without a journal.
    fn renamed<'a>(&'a self, tx: &'a mut dyn ReadTx, profile: &'a Profile) -> Fut<'a, Result<Vec<Renamed>>> {
        let _ = (tx, profile);
        Box::pin(async { Ok(vec![]) })
    }
    /// Is a trigger this feature's own, by its name and its function's? What it writes is known.
    fn owns_trigger(&self, profile: &Profile, name: &str, function: &str) -> bool {
        let _ = (profile, name, function);
        false
    }
}
