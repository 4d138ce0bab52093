//! What an operator accepts openly, and lines of a preflight.

use crate::engine::model::preflight::{Preflight, Ready};
use crate::features::switchover::texts;

/// What an operator may accept openly: `--set accept=…`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Accepted(pub(crate) Vec<String>);

impl Accepted {
    pub(crate) fn parse(text: Option<&str>) -> Self {
        let list = text.unwrap_or_default().split(',').map(str::trim).filter(|t| !t.is_empty());
        Self(list.map(str::to_owned).collect())
    }

    /// What would stop the switch, unless it is accepted.
    pub(crate) fn unless(&self, id: &str, text: &str) -> Preflight {
        if self.0.iter().any(|a| a == id) {
            Preflight::new(id, Ready::Warn, texts::preflight::accepted(text))
        } else {
            Preflight::new(id, Ready::Fail, texts::preflight::acceptable(text, id))
        }
    }
    /// What nothing is known of, for want of something in the copy; unless it is accepted.
    pub(crate) fn unknown_unless(&self, id: &str, text: &str) -> Preflight {
        let told = self.unless(id, text);
        if told.status == Ready::Fail { Preflight { status: Ready::Unknown, ..told } } else { told }
    }
}

pub(crate) fn warn(id: &str, text: String) -> Preflight {
    Preflight::new(id, Ready::Warn, text)
}

pub(crate) fn ok(id: &str, text: String) -> Preflight {
    Preflight::new(id, Ready::Ok, text)
}
