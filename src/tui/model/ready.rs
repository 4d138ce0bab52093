//! Whether a pair is ready for a switchover, and what a rollback would lose.

use crate::features::parity::pair::retired::RetiredTable;
use chrono::{DateTime, Utc};

/// One twin, or all of a set at its worst.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Equal when looked at.
    Ready(DateTime<Utc>),
    /// What must be mended first.
    Not(Vec<String>),
    /// What is not known.
    Unknown(String),
}

/// Would a rollback lose anything?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RollbackOutlook {
    /// There is nothing to take back.
    Before,
    /// Nothing: all rows were equal then.
    Lossless(DateTime<Utc>),
    /// So many rows were not equal then.
    Lossy(u64, DateTime<Utc>),
    /// What is written now is not kept on the other side.
    Leaking(String),
    /// The retired table is put away: only undoing that brings it back.
    RetiredTable(RetiredTable),
    /// It cannot be taken back at all.
    Impossible(String),
    /// Not known.
    Unknown(String),
}

impl RollbackOutlook {
    /// The worst first.
    pub(in crate::tui) fn rank(&self) -> u8 {
        match self {
            Self::Impossible(_) => 0,
            Self::RetiredTable(_) => 1,
            Self::Lossy(..) => 2,
            Self::Leaking(_) => 3,
            Self::Unknown(_) => 4,
            Self::Lossless(_) => 5,
            Self::Before => 6,
        }
    }
}
