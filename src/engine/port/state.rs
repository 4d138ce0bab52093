//! What is kept of a target between two runs of the program, on the operator's side and never on the target: documents
//! by name. What is in them is their feature's own affair.

use crate::engine::model::error::Result;
use crate::engine::model::identity::Identity;

/// Which document of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Document<'a> {
    /// The feature that it belongs to: its folder.
    pub folder: &'static str,
    /// What it is about, as the profile names it.
    pub name: &'a str,
    /// What it holds, in a word.
    pub holds: &'static str,
}

/// Where documents are kept. They are private, signed, and written whole or not at all.
pub trait State: Send + Sync {
    /// Its text; one that cannot be read, or was altered since it was written here, is none.
    fn read(&self, target: &Identity, document: &Document<'_>) -> Option<String>;
    /// Keeps a text in place of the last; `None` removes it.
    fn write(&self, target: &Identity, document: &Document<'_>, text: Option<&str>) -> Result<()>;
}

/// Where nothing is kept.
#[derive(Debug, Clone, Copy)]
pub struct NoState;

impl State for NoState {
    fn read(&self, _: &Identity, _: &Document<'_>) -> Option<String> {
        None
    }

    fn write(&self, _: &Identity, _: &Document<'_>, _: Option<&str>) -> Result<()> {
        Ok(())
    }
}
