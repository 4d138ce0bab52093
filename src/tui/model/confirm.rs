//! The typed phrase, as far as it is typed.

use crate::tui::model::typed_line::TypedLine;

/// The open line.
#[derive(Debug, Clone, Default)]
pub struct Confirm {
    /// The phrase.
    pub phrase: TypedLine,
    /// The database's name, where that is asked for.
    pub database: TypedLine,
    /// The phrase is right; the name is being typed.
    pub at_database: bool,
    /// Why the last Enter did nothing.
    pub said: Option<String>,
}
