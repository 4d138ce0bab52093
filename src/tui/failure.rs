//! Why something did not work, as the console shows it.

use crate::engine::model::error::Error;

/// An error as data that can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What failed.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The statement was cancelled, as asked.
    pub cancelled: bool,
    /// Trying again cannot help: configuration.
    pub fatal: bool,
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        use crate::engine::model::error::Class;
        Self {
            cancelled: e.class == Class::Cancelled,
            fatal: e.class == Class::Usage,
            message: e.message,
            hint: e.hint,
        }
    }
}
