//! Backups that a run makes.

use crate::engine::model::error::{Class, Error, Result};

use crate::engine::port::reader::Fut;
use serde::{Deserialize, Serialize};

/// A backup that was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dumped {
    /// Where it lies.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Its digest.
    pub sha256: String,
    /// Rows by table.
    pub rows: Vec<(String, u64)>,
    /// How it was proved that it can be restored; absent: it was not.
    pub verified: Option<String>,
}

/// Makes backups.
pub trait Backups: Send + Sync {
    /// Dumps these tables of the target.
    fn dump<'a>(&'a self, dump: &'a Dump, run: &'a str) -> Fut<'a, Result<Dumped>>;
    /// Where backups go, or why none can be made.
    fn place(&self) -> Result<String>;
    /// Bytes free there, where that can be known.
    fn free(&self) -> Option<u64>;
    /// Is a file still as it was made?
    fn intact<'a>(&'a self, made: &'a Dumped) -> Fut<'a, Result<()>>;
}

/// Where nothing can be backed up.
#[derive(Debug, Clone, Copy)]
pub struct NoBackups;

impl NoBackups {
    fn refused() -> Error {
        Error::new(Class::Refused, "no backups can be made of this target: there are none of its kind here")
    }
}

impl Backups for NoBackups {
    fn dump<'a>(&'a self, _: &'a Dump, _: &'a str) -> Fut<'a, Result<Dumped>> {
        Box::pin(async { Err(Self::refused()) })
    }

    fn place(&self) -> Result<String> {
        Err(Self::refused())
    }

    fn free(&self) -> Option<u64> {
        None
    }

    fn intact<'a>(&'a self, _: &'a Dumped) -> Fut<'a, Result<()>> {
        Box::pin(async { Err(Self::refused()) })
    }
}

/// A dump of some tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dump {
    /// The tables.
    pub tables: Vec<String>,
    /// It counts only when it was restored in a sandbox and compared.
    pub verify: bool,
}
