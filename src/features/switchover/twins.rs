//! What the operations on twins share: the pair as it is, how its rows compare, and which partitions are to come.

use crate::engine::model::profile::{Profile, Twin};
use crate::engine::model::report::CheckId;
use crate::engine::plan::operation::{ALL, Offer, OpSpec};
use crate::engine::port::dialect::Dialect;
use crate::features::switchover::dialects;
use crate::features::switchover::texts;

/// An offer for each twin; disabled where the dialect has no statements for it.
pub(crate) fn offers(
    spec: &'static OpSpec,
    profile: &Profile,
    dialect: &dyn Dialect,
    about: &str,
    locks: &str,
) -> Vec<Offer> {
    let unsupported = dialects::supported(dialect).err().map(|e| e.message);
    let offer = |twin: &Twin| Offer {
        verb: spec.verb,
        name: twin.name().to_owned(),
        about: texts::offers::offer(about, twin.name()),
        mends: Some(CheckId { kind: "parity", name: twin.name().to_owned() }),
        risk: spec.risk,
        locks: locks.to_owned(),
        disabled: unsupported.clone(),
        asks: vec![],
        takes_rows: false,
    };
    profile.twins.iter().map(offer).collect()
}

/// The same for what is done to both sides of a switchover.
pub(crate) fn switched_offers(
    spec: &'static OpSpec,
    profile: &Profile,
    dialect: &dyn Dialect,
    about: &str,
) -> Vec<Offer> {
    offers(spec, profile, dialect, about, texts::offers::LOCKS_OF_SWAP)
}

/// The twins that a name stands for, in the profile's order.
pub(crate) fn named<'p>(profile: &'p Profile, name: &str) -> Vec<&'p Twin> {
    let wanted: Vec<&str> = name.split(',').collect();
    profile.twins.iter().filter(|t| name == ALL || wanted.contains(&t.name())).collect()
}

/// An age in hours, for people.
pub(crate) fn age(hours: f64) -> String {
    let minutes = (hours * 60.0).max(0.0);
    if minutes < 120.0 {
        format!("{minutes:.0} min")
    } else if hours < 48.0 {
        format!("{hours:.0} h")
    } else {
        format!("{:.0} d", hours / 24.0)
    }
}

/// Which side is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RepairedSide {
    Twin,
    Legacy,
}
