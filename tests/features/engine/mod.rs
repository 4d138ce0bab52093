//! What holds for every operation and check: plans, guards, journal, undo, paging, copies.

mod contract;
mod copies;
mod guards;
mod images;
mod journal;
mod lost_reader;
mod makes;
mod operators;
mod outside_transaction;
mod paging;
mod resolved_names;
pub(crate) mod roundtrips;
mod sessions;
mod side_effects;
mod spelling;
mod stale;
mod stops;
mod undone_plans;
mod unknowns;
mod verdicts;
