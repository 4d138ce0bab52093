//! What a format of whole results must be able to do.

use super::answer::Answer;
use super::style::Style;

/// Writes answers in one format.
pub trait Renderer: Sync {
    /// As one asks for it.
    fn name(&self) -> &'static str;
    /// A failure is an answer like any other; else it goes to stderr, beside what was answered.
    fn errors_are_data(&self) -> bool;
    /// An answer, line end included.
    fn render(&self, answer: &Answer<'_>, style: Style) -> String;
}
