//! The typed phrase, as far as it is typed.

use tui_input::Input;

/// The open line.
#[derive(Debug, Clone, Default)]
pub struct Confirm {
    /// The phrase.
    pub phrase: Input,
    /// The database's name, where that is asked for.
    pub database: Input,
    /// The phrase is right; the name is being typed.
    pub at_database: bool,
    /// Why the last Enter did nothing.
    pub said: Option<String>,
}
