//! How a partition's state is drawn.

use crate::features::parity::facts::Partition;
use crate::features::parity::facts::PartitionStatus;
use crate::tui::theme::{Glyphs, Tone};

pub(super) fn mark<'g>(p: &Partition, g: &'g Glyphs) -> (&'g str, Tone) {
    match p.status {
        PartitionStatus::Equal if p.sealed => (g.sealed, Tone::Good),
        PartitionStatus::Equal => (g.equal, Tone::Good),
        PartitionStatus::Differs => (g.differs, Tone::Bad),
        PartitionStatus::Missing => (g.fail, Tone::Bad),
        PartitionStatus::CountsEqual | PartitionStatus::NotCompared => (g.open, Tone::Dim),
    }
}
