//! How a partition's state is drawn.

use crate::features::parity::facts::Partition;
use crate::tui::theme::{Glyphs, Tone};

pub(super) fn mark<'g>(p: &Partition, g: &'g Glyphs) -> (&'g str, Tone) {
    match p.status.as_str() {
        "equal" if p.sealed => (g.sealed, Tone::Good),
        "equal" => (g.equal, Tone::Good),
        "differs" => (g.differs, Tone::Bad),
        "missing" => (g.fail, Tone::Bad),
        _ => (g.open, Tone::Dim),
    }
}
