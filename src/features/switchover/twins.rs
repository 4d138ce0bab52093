//! What the operations on twins share: the pair as it is, how its rows compare, and which partitions are to come.

use crate::engine::model::grants::{TableNeed, TableRight};
use crate::engine::model::profile::{Profile, Twin};
use crate::engine::model::report::CheckId;
use crate::engine::plan::operation::{ALL, Offer, OpSpec};
use crate::engine::port::dialect::Dialect;
use crate::features::parity::pair::retired::away_name;
use crate::features::parity::pair::retired_name;
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

/// What changes rows and definitions of both sides needs.
pub(crate) const REDEFINED: &[TableRight] =
    &[TableRight::Insert, TableRight::Update, TableRight::Delete, TableRight::Own, TableRight::Create];
/// The same where a backup is made first.
pub(crate) const BACKED_UP: &[TableRight] = &[
    TableRight::Insert,
    TableRight::Update,
    TableRight::Delete,
    TableRight::Own,
    TableRight::Create,
    TableRight::Backup,
];

/// For both sides of each twin, and what they are called after a switchover.
pub(crate) fn needs(verb: &'static str, profile: &Profile, rights: &[TableRight]) -> Vec<TableNeed> {
    let names = |t: &Twin| {
        let retired = [retired_name(t), away_name(t)].map(|r| r.to_string());
        [t.legacy.clone(), t.partitioned.clone()].into_iter().chain(retired).collect::<Vec<_>>()
    };
    profile.twins.iter().flat_map(names).map(|table| TableNeed::new(verb, &table, rights)).collect()
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
