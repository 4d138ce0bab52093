//! The journal's copy on the operator's machine.

use crate::engine::model::error::Result;
use crate::engine::model::event::Event;
use crate::engine::model::identity::Identity;

/// The copy on the operator's side.
pub trait JournalCopy: Send + Sync {
    /// One more entry, after its commit.
    fn append(&self, target: &Identity, event: &Event) -> Result<()>;
    /// All entries kept for a target; `None`: there is no mirror.
    fn read(&self, target: &Identity) -> Result<Option<Vec<Event>>>;
    /// Where it is kept.
    fn place(&self, target: &Identity) -> String;
}
