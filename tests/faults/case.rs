//! One operation, hurt at one step in one way; and which of these there are.

use crate::matrix::Cell;
use crate::ops::Op;
use crate::servers::Rig;
use crate::{ops, run_case};

/// Where it is hurt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Step {
    Lock,
    Recheck,
    Create,
    Intent,
    Stage,
    IntentCommit,
    Guard,
    Change,
    Image,
    Derived,
    Audit,
    Checkpoint,
    Entry,
    Commit,
    Committed,
    Verify,
    Outcome,
    OutcomeCommit,
}

/// How.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Fault {
    ClientKilled,
    ServerKilled,
    RunCut,
    LockCut,
    Cancelled,
    LockTimeout,
    DiskFull,
    TwoOperators,
    MovedBefore,
    MovedBetween,
}

/// A cell of the matrix.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) op: &'static Op,
    pub(crate) step: Step,
    /// For steps of a batch.
    pub(crate) batch: Option<u64>,
    pub(crate) fault: Fault,
}

pub(crate) const FAULTS: [Fault; 10] = [
    Fault::ClientKilled,
    Fault::ServerKilled,
    Fault::RunCut,
    Fault::LockCut,
    Fault::Cancelled,
    Fault::LockTimeout,
    Fault::DiskFull,
    Fault::TwoOperators,
    Fault::MovedBefore,
    Fault::MovedBetween,
];

pub(crate) const STEPS: [Step; 18] = [
    Step::Lock,
    Step::Recheck,
    Step::Create,
    Step::Intent,
    Step::Stage,
    Step::IntentCommit,
    Step::Guard,
    Step::Change,
    Step::Image,
    Step::Derived,
    Step::Audit,
    Step::Checkpoint,
    Step::Entry,
    Step::Commit,
    Step::Committed,
    Step::Verify,
    Step::Outcome,
    Step::OutcomeCommit,
];

impl Step {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Recheck => "recheck",
            Self::Create => "create the journal",
            Self::Intent => "intent",
            Self::Stage => "stage",
            Self::IntentCommit => "intent, inside COMMIT",
            Self::Guard => "guard",
            Self::Change => "change",
            Self::Image => "before-image",
            Self::Derived => "derived",
            Self::Audit => "audit",
            Self::Checkpoint => "checkpoint",
            Self::Entry => "entry",
            Self::Commit => "batch, inside COMMIT",
            Self::Committed => "committed, not answered",
            Self::Verify => "verify",
            Self::Outcome => "outcome",
            Self::OutcomeCommit => "outcome, inside COMMIT",
        }
    }

    /// The gate's name in `fault.sql`.
    pub(crate) fn gate(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Recheck => "recheck",
            Self::Create => "create",
            Self::Intent => "intent",
            Self::Stage => "stage",
            Self::IntentCommit => "intent_commit",
            Self::Guard => "guard",
            Self::Change => "change",
            Self::Image => "image",
            Self::Derived => "derived",
            Self::Audit => "audit",
            Self::Checkpoint => "checkpoint",
            Self::Entry => "entry",
            Self::Commit | Self::Committed => "commit",
            Self::Verify => "next",
            Self::Outcome => "outcome",
            Self::OutcomeCommit => "outcome_commit",
        }
    }

    /// Within a batch's transaction.
    pub(crate) fn in_batch(self) -> bool {
        (Self::Guard..=Self::Committed).contains(&self)
    }

    /// Only readers are at work.
    pub(crate) fn reads(self) -> bool {
        matches!(self, Self::Recheck | Self::Verify)
    }

    /// An answer to COMMIT is what is lost here.
    pub(crate) fn commits(self) -> bool {
        matches!(self, Self::IntentCommit | Self::Commit | Self::Committed | Self::OutcomeCommit)
    }

    /// Why this operation does not have it.
    fn lacks(self, op: &Op) -> Option<&'static str> {
        let init = op.is_init();
        match self {
            Self::Create if !init => Some("init only"),
            Self::Recheck if init => Some("reads the catalog only, which nothing can hold"),
            Self::Stage if init => Some("init has no rows"),
            Self::Committed => None,
            step if init && step.in_batch() => Some("init has no batches"),
            Self::Guard if !op.guard => Some("passes no guard by ALTER TABLE"),
            Self::Change if !op.writes => Some("computes: what is written is the derived table"),
            Self::Derived if !op.derived => Some("no table follows"),
            Self::Audit if op.audit.is_empty() => Some("no audit of its own"),
            Self::Verify if !op.proved => Some("asks nothing afterwards"),
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
            Self::LockTimeout => "lock timeout",
            Self::DiskFull => "disk full",
            Self::TwoOperators => "two operators",
            Self::MovedBefore => "rows changed since the plan",
            Self::MovedBetween => "rows changed between batches",
        }
    }
}

impl Cell for Case {
    fn impossible(&self) -> Option<&'static str> {
        let (op, step) = (self.op, self.step);
        if let Some(why) = step.lacks(op) {
            return Some(why);
        }
        match self.fault {
            Fault::RunCut if step == Step::Lock => Some("the run's session is not open yet"),
            Fault::LockTimeout => match step {
                Step::Lock => Some("asks for the lock without waiting: see two operators"),
                Step::Create => Some("its tables are new: nobody else can lock them"),
                Step::Intent | Step::Stage if op.is_init() => {
                    Some("its tables are new: nobody else can lock them")
                }
                step if step.commits() => Some("COMMIT waits for no lock"),
                _ => None,
            },
            Fault::DiskFull => match step {
                Step::Lock | Step::Recheck | Step::Verify => Some("writes nothing"),
                Step::Committed => Some("is written already"),
                _ => None,
            },
            Fault::TwoOperators if op.is_init() && step == Step::Verify => {
                Some("what holds the first keeps the second from looking at the journal at all")
            }
            Fault::MovedBefore => match step {
                Step::Recheck | Step::Create => None,
                _ => Some("seen at the recheck, whatever comes after"),
            },
            Fault::MovedBetween => match step {
                _ if op.is_init() => Some("init has no rows"),
                Step::Change | Step::Derived
                    if self.batch == Some(2) && (step == Step::Change) == op.writes =>
                {
                    None
                }
                _ => Some("seen when a batch changes its rows"),
            },
            _ => None,
        }
    }

    fn hurts_the_server(&self) -> bool {
        self.fault == Fault::ServerKilled || self.step == Step::Committed
    }

    fn title(&self) -> String {
        let batch = self.batch.map_or_else(String::new, |b| format!(" of batch {b}"));
        format!("{} · {}{batch} · {}", self.op.name, self.step.title(), self.fault.title())
    }

    async fn happen(self, rig: &'static Rig) -> String {
        run_case::case(self, rig).await
    }
}

/// Everything, in the matrix's order.
pub(crate) fn all() -> Vec<Case> {
    let mut out = Vec::new();
    for op in ops::ALL {
        for step in STEPS {
            let batches: &[Option<u64>] =
                if step.in_batch() && !op.is_init() { &[Some(1), Some(2)] } else { &[None] };
            for batch in batches {
                out.extend(FAULTS.map(|fault| Case { op, step, batch: *batch, fault }));
            }
        }
    }
    out
}

/// Each fault at one step that it hurts.
pub(crate) fn chosen(op: &'static Op) -> Vec<Case> {
    let wanted = |fault: Fault| -> &'static [Step] {
        match fault {
            Fault::ClientKilled => &[Step::Entry, Step::Intent],
            Fault::ServerKilled | Fault::DiskFull => &[Step::Image, Step::Create],
            Fault::RunCut => &[Step::Commit, Step::IntentCommit],
            Fault::LockCut => &[Step::Audit, Step::Create],
            Fault::Cancelled => &[Step::Derived, Step::Change, Step::Create],
            Fault::LockTimeout => &[Step::Guard, Step::Change, Step::Derived, Step::Outcome],
            Fault::TwoOperators => &[Step::Checkpoint, Step::Create],
            Fault::MovedBefore => &[Step::Recheck, Step::Create],
            Fault::MovedBetween => &[Step::Change, Step::Derived],
        }
    };
    // The first operation has each fault, the others every third one, turn about: all of them are in `make faults`.
    let at = ops::ALL.iter().position(|o| o.name == op.name).unwrap();
    let turn = |n: usize, fault: &Fault| {
        // Its first entry is in a journal that was not there before.
        at == 0 || n % 3 == at % 3 || (op.is_init() && *fault == Fault::RunCut)
    };
    let mut out = Vec::new();
    for (_, fault) in FAULTS.into_iter().enumerate().filter(|(n, fault)| turn(*n, fault)) {
        let batch = |step: Step| (step.in_batch() && !op.is_init()).then_some(2);
        let cases = wanted(fault).iter().map(|step| Case { op, step: *step, batch: batch(*step), fault });
        out.extend(cases.into_iter().find(|c| c.impossible().is_none()));
    }
    out
}
