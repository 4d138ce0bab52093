//! A database dialect: what depends on the product and not on a connection.

use crate::engine::model::cause::Cause;

/// One product's answers. Stateless: one unit struct, used as `&'static dyn Dialect`.
pub trait Dialect: Sync {
    /// Its word in plans and profiles.
    fn id(&self) -> &'static str;
    /// What the engine decides by, and whether a retry is pointless until the reason is gone; also for codes of old
    /// journals.
    fn cause(&self, code: &str) -> (Cause, bool);
    /// The code under which an error that the engine raises itself is recorded.
    fn code(&self, cause: Cause) -> Option<&'static str>;
}
