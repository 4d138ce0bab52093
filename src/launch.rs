//! What `main` hands to the command line and the console, so that neither needs to know the database.

use crate::engine::Engine;
use crate::engine::model::error::Result;
use crate::engine::port::reader::Fut;
use crate::profile::{Config, Selected};

/// Opens a target.
pub type Connect = fn(Selected) -> Fut<'static, Result<Engine>>;

/// Runs the console until it is left.
pub type Console = fn(Launch) -> Fut<'static, Result<()>>;

/// What the console starts with.
pub struct Launch {
    /// For switching targets.
    pub config: Config,
    /// The first target.
    pub selected: Selected,
    /// Opens targets.
    pub connect: Connect,
    /// No colours, whatever the terminal can do.
    pub no_color: bool,
    /// Apply to whatever target is opened.
    pub overrides: Overrides,
}

/// Global options that hold for every target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--profile`.
    pub profile: Option<String>,
    /// `--read-only`.
    pub read_only: bool,
}

impl Overrides {
    /// A target as the command line wants it.
    #[must_use]
    pub fn apply(&self, mut selected: Selected) -> Selected {
        if self.profile.is_some() {
            selected.config.profile.clone_from(&self.profile);
            selected.config.profile_by_flag = true;
        }
        selected.config.read_only |= self.read_only;
        selected
    }
}
