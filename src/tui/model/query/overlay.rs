//! Texts and choices of the dialogs.

use crate::tui::model::state::Model;

impl Model {
    /// What must be typed to go on with a run.
    pub fn resume_words(id: &str) -> String {
        format!("resume {id}")
    }

    /// What leaving would interrupt.
    pub fn leaving(&self) -> String {
        if self.run_going().is_some() {
            return self.left_behind();
        }
        if self.exporting {
            "An export is running: it would be abandoned, and leave no file.".into()
        } else {
            "Nothing is running that would change anything.".into()
        }
    }

    /// Targets to switch to, the typed text applied.
    pub fn target_choices(&self) -> Vec<String> {
        self.target_choices_for(self.overlay.as_ref().map_or("", |o| o.input.value()))
    }

    pub(in crate::tui) fn target_choices_for(&self, typed: &str) -> Vec<String> {
        self.targets.iter().filter(|t| t.to_lowercase().contains(&typed.to_lowercase())).cloned().collect()
    }

    /// Another target while something of ours goes on would leave it out of sight.
    pub(in crate::tui) fn why_not_switch(&self) -> Option<String> {
        if self.targets.is_empty() {
            return Some("the configuration has no other target".into());
        }
        self.run_going().map(|r| format!("a run is going on here ({}): it is not left alone", r.title))
    }
}
