//! The verification of the journal, for people.

use std::fmt::Write as _;

use crate::engine::journal::verify::Verified;

/// A journal that was restored on purpose is accepted; what was altered in it stays a finding.
const ACCEPT: &str = "  if an older state was restored on purpose: midwatch plan journal-accept\n";

/// What was compared, and what was altered or removed.
pub(super) fn verified(verified: &Verified) -> String {
    let mut text = String::new();
    for line in &verified.compared {
        let _ = writeln!(text, "compared  {line}");
    }
    if let Some(behind) = &verified.behind {
        let _ = writeln!(text, "behind    {behind}");
    }
    for line in &verified.accepted {
        let _ = writeln!(text, "accepted  {line}");
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
    let all_is_known = verified.unobserved.is_empty() && verified.unknown.is_empty();
    text.push_str(match (verified.findings.is_empty(), all_is_known) {
        (true, true) => "✓ nothing altered or removed was found\n",
        (true, false) => "? nothing altered or removed was found in what could be judged\n",
        (false, _) if verified.differs => ACCEPT,
        (false, _) => "",
    });
    text
}
