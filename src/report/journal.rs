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
    for what in &verified.unobserved {
        let _ = writeln!(text, "? not read: {what}");
    }
    for what in &verified.unknown {
        let _ = writeln!(text, "? unknown: {what}");
    }
    if verified.findings.is_empty() && verified.unobserved.is_empty() {
        text.push_str("✓ nothing altered or removed was found\n");
    }
    text
}
