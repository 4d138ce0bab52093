//! What a finding of the comparison means for a switch of its pair. The preflight of a plan and the console ask here, so
//! that a pair is not blocked in the one and free in the other.

use crate::engine::model::preflight::Ready;
use crate::features::parity::finding_kind::FindingKind;
use crate::features::parity::pair::SwitchState;

/// What it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FindingEffect {
    /// Nothing: the switch itself settles it.
    Settled,
    /// Known only once it is tried in a copy, which a plan does.
    TriedInCopy,
    /// Should be known; the switch may go on.
    Warns,
    /// The pair must not be switched.
    Stops,
}

impl FindingEffect {
    /// Of a finding of this kind (`None`: not known here) and severity, as parity's verdicts have it.
    pub(crate) fn new(kind: Option<FindingKind>, severity: Ready, state: SwitchState) -> Self {
        let before = state == SwitchState::Before;
        match kind {
            // The legacy table's own are handed over.
            Some(FindingKind::Sequence) if before => Self::Settled,
            // A trigger that is off copies nothing, whatever a copy of few rows shows.
            Some(FindingKind::Trigger) if before && severity.blocks() => Self::Stops,
            // Every kind of write is fired in a copy: a trigger may copy what the catalog does not show.
            Some(kind) if kind.is_about_sync() && before => Self::TriedInCopy,
            Some(kind) if kind.is_about_sync() => Self::Warns,
            // Reverse sync finds rows by their key; the way back of a pair that is switched must stay open.
            Some(FindingKind::Key | FindingKind::NoKey) if before => Self::Stops,
            // Whatever its severity: rows of the coming month or of a column would be refused, or are not the same.
            Some(FindingKind::Coverage | FindingKind::ColumnsMissing | FindingKind::Sums) => Self::Stops,
            _ if severity.blocks() => Self::Stops,
            _ => Self::Warns,
        }
    }

    /// As a line of a preflight; `None`: the copy has its own line.
    pub(crate) fn status(self) -> Option<Ready> {
        match self {
            Self::Settled => Some(Ready::Ok),
            Self::TriedInCopy => None,
            Self::Warns => Some(Ready::Warn),
            Self::Stops => Some(Ready::Fail),
        }
    }
}
