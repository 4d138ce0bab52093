//! Which runs change what a name means: known by the features whose operations do so.

use crate::engine::model::name_change::NameChange;
use crate::engine::model::plan::Plan;

/// The operations that change names.
pub trait NameChanges: Sync {
    /// Their verbs.
    fn verbs(&self) -> Vec<String>;
    /// The names that a plan changes: as it declares them, or, where it was made by a version that declared none, as
    /// its steps tell.
    fn in_plan(&self, plan: &Plan) -> Vec<NameChange>;
}
