//! The verbs of these operations that others ask for: the journal's runs, the console.

use crate::features::parity::pair::retired;

/// Partitioned tables take the legacy tables' names.
pub const SWITCHOVER: &str = "switchover";
/// Its way back.
pub const ROLLBACK: &str = "rollback";
/// What is left of the legacy tables goes.
pub const CLEANUP: &str = retired::PUTS_AWAY;
/// A switchover in a copy.
pub const REHEARSE: &str = "rehearse";
/// Sync triggers made complete.
pub const REPAIR_TRIGGERS: &str = "repair-triggers";
