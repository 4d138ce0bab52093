//! Switchover and rollback, hurt at each of their stages: which cells there are.

use crate::matrix::Cell;
use crate::servers::{Rig, Template};
use crate::switching;

/// What is hurt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Switchover,
    Rollback,
}

/// Where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    First,
    Backup,
    Watch,
    Compare,
    Prepare,
    Between,
    Locked,
    Swapped,
    Commit,
    Committed,
    Tidy,
    Monitor,
    Outcome,
}

/// How.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    ClientKilled,
    ServerKilled,
    RunCut,
    LockCut,
    Cancelled,
    Interrupted,
    SecondOperator,
    LockKept,
    LockFreed,
    LongTransaction,
    RowDiffers,
    MarkerDropped,
    MarkerPassedBy,
    OverBudget,
}

/// A cell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) op: Op,
    pub(crate) place: Place,
    pub(crate) fault: Fault,
}

pub(crate) const OPS: [Op; 2] = [Op::Switchover, Op::Rollback];

pub(crate) const PLACES: [Place; 13] = [
    Place::First,
    Place::Backup,
    Place::Watch,
    Place::Compare,
    Place::Prepare,
    Place::Between,
    Place::Locked,
    Place::Swapped,
    Place::Commit,
    Place::Committed,
    Place::Tidy,
    Place::Monitor,
    Place::Outcome,
];

pub(crate) const FAULTS: [Fault; 14] = [
    Fault::ClientKilled,
    Fault::ServerKilled,
    Fault::RunCut,
    Fault::LockCut,
    Fault::Cancelled,
    Fault::Interrupted,
    Fault::SecondOperator,
    Fault::LockKept,
    Fault::LockFreed,
    Fault::LongTransaction,
    Fault::RowDiffers,
    Fault::MarkerDropped,
    Fault::MarkerPassedBy,
    Fault::OverBudget,
];

impl Op {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Switchover => "switchover",
            Self::Rollback => "rollback",
        }
    }

    pub(crate) fn template(self) -> Template {
        match self {
            Self::Switchover => Template::Twins,
            Self::Rollback => Template::Switched,
        }
    }

    /// The step in which the tables change places.
    pub(crate) fn swap(self) -> &'static str {
        match self {
            Self::Switchover => "enable",
            Self::Rollback => "swap-back",
        }
    }
}

impl Place {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::First => "first counts",
            Self::Backup => "backup made, not in the journal",
            Self::Watch => "write marker",
            Self::Compare => "compared",
            Self::Prepare => "reverse triggers",
            Self::Between => "between comparison and switch",
            Self::Locked => "locked, nothing altered",
            Self::Swapped => "locked, all altered",
            Self::Commit => "the switch, inside COMMIT",
            Self::Committed => "the switch, committed, not answered",
            Self::Tidy => "reverse triggers go",
            Self::Monitor => "monitor",
            Self::Outcome => "outcome",
        }
    }

    /// The gate's name in `switch.sql`.
    pub(crate) fn gate(self, op: Op) -> String {
        match self {
            Self::First if op == Op::Switchover => "PRE-FLIGHT".into(),
            Self::First => "PRE-ROLLBACK".into(),
            Self::Watch => "first of watch/revenues".into(),
            Self::Compare => "COMPARED".into(),
            Self::Prepare => "first of prepare/revenues".into(),
            Self::Between => switching::BEFORE.into(),
            Self::Locked => format!("first of {}", op.swap()),
            Self::Swapped => op.swap().into(),
            Self::Commit | Self::Committed => format!("commit {}", op.swap()),
            Self::Tidy => "first of tidy/revenues".into(),
            Self::Monitor => "MONITOR".into(),
            Self::Outcome => "outcome".into(),
            Self::Backup => "backup".into(),
        }
    }

    fn lacks(self, op: Op) -> Option<&'static str> {
        match (self, op) {
            (Self::Backup, Op::Rollback) => Some("makes no backup"),
            (Self::Watch, Op::Rollback) => Some("the switchover's marker is still there"),
            (Self::Prepare, Op::Rollback) => Some("the reverse triggers are at work"),
            (Self::Tidy, Op::Switchover) => Some("the reverse triggers stay"),
            _ => None,
        }
    }
}

impl Fault {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::ClientKilled => "client killed -9",
            Self::ServerKilled => "server killed -9",
            Self::RunCut => "connection cut",
            Self::LockCut => "lock's session cut",
            Self::Cancelled => "statement cancelled",
            Self::Interrupted => "SIGINT",
            Self::SecondOperator => "two operators",
            Self::LockKept => "lock kept by others",
            Self::LockFreed => "lock given late",
            Self::LongTransaction => "long transaction",
            Self::RowDiffers => "a row differs",
            Self::MarkerDropped => "marker dropped",
            Self::MarkerPassedBy => "marker passed by",
            Self::OverBudget => "over the budget",
        }
    }
}

impl Cell for Case {
    fn impossible(&self) -> Option<&'static str> {
        if let Some(why) = self.place.lacks(self.op) {
            return Some(why);
        }
        match self.fault {
            Fault::LockKept | Fault::LockFreed | Fault::LongTransaction | Fault::OverBudget
                if self.place != Place::Locked =>
            {
                Some("is met when the tables are locked")
            }
            Fault::MarkerDropped | Fault::MarkerPassedBy if self.place != Place::Between => {
                Some("is looked for between comparison and switch")
            }
            Fault::RowDiffers if !matches!(self.place, Place::Between | Place::Locked | Place::Monitor) => {
                Some("is looked for before the locks, inside them, and while monitoring")
            }
            _ => None,
        }
    }

    fn hurts_the_server(&self) -> bool {
        self.fault == Fault::ServerKilled || self.place == Place::Committed
    }

    fn title(&self) -> String {
        format!("{} · {} · {}", self.op.title(), self.place.title(), self.fault.title())
    }

    async fn happen(self, rig: &'static Rig) -> String {
        switching::case(self, rig).await
    }
}

/// Everything, in the table's order.
pub(crate) fn all() -> Vec<Case> {
    let mut out = Vec::new();
    for op in OPS {
        for place in PLACES {
            out.extend(FAULTS.map(|fault| Case { op, place, fault }));
        }
    }
    out
}

/// What is most likely to go wrong.
pub(crate) fn chosen(op: Op) -> Vec<Case> {
    let cells: &[_] = match op {
        Op::Switchover => &[
            (Place::Prepare, Fault::ClientKilled),
            (Place::Between, Fault::MarkerPassedBy),
            (Place::Locked, Fault::RowDiffers),
            (Place::Locked, Fault::LockKept),
            (Place::Locked, Fault::OverBudget),
            (Place::Commit, Fault::RunCut),
            (Place::Monitor, Fault::SecondOperator),
        ],
        Op::Rollback => &[
            (Place::Locked, Fault::LockFreed),
            (Place::Swapped, Fault::ServerKilled),
            (Place::Committed, Fault::RunCut),
            (Place::Tidy, Fault::Interrupted),
        ],
    };
    cells.iter().map(|&(place, fault)| Case { op, place, fault }).collect()
}
