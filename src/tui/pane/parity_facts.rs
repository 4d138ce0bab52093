//! What the page of twins and the page of partitions both show of a comparison.

use crate::features::parity::facts::{ParityFacts, Partition};
use crate::tui::model::ready::parity_facts;
use crate::tui::model::watch::Watch;
use crate::tui::theme::{Glyphs, Tone};

pub(super) fn facts(watch: &Watch) -> Option<ParityFacts> {
    parity_facts(watch.report.as_ref()?)
}

pub(super) fn mark<'g>(p: &Partition, g: &'g Glyphs) -> (&'g str, Tone) {
    match p.status.as_str() {
        "equal" if p.sealed => (g.sealed, Tone::Good),
        "equal" => (g.equal, Tone::Good),
        "differs" => (g.differs, Tone::Bad),
        "missing" => (g.fail, Tone::Bad),
        _ => (g.open, Tone::Dim),
    }
}
