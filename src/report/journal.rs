//! The verification of the journal, for people.

use std::fmt::Write as _;

use crate::engine::journal::verify::Verified;

/// What was compared, and what was altered or removed.
pub(super) fn verified(verified: &Verified) -> String {
    let mut text = String::new();
    for line in &verified.compared {
        let _ = writeln!(text, "compared  {line}");
    }
    for finding in &verified.findings {
        let _ = writeln!(text, "✖ {finding}");
    }
    if verified.findings.is_empty() {
        text.push_str("✓ nothing altered or removed was found\n");
    }
    text
}
