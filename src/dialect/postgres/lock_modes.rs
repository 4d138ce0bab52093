//! PostgreSQL's words for the locks of tables.

use crate::engine::model::step::LockStrength;

/// Keeps all other writers of a table away.
pub(super) const WRITERS: &str = "SHARE ROW EXCLUSIVE";
/// Keeps readers away as well.
pub(super) const EVERYONE: &str = "ACCESS EXCLUSIVE";

pub(super) fn mode(strength: LockStrength) -> &'static str {
    match strength {
        LockStrength::Rows => "ROW EXCLUSIVE",
        LockStrength::Writers => WRITERS,
        LockStrength::Everyone => EVERYONE,
    }
}
