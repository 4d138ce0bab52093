//! What other features and plans may ask of a comparison.

use crate::engine::check::verdict::{CheckVerdict, VerdictSpec};
use crate::engine::model::preflight::Ready;
use crate::engine::model::report::{Report, Severity};
use crate::features::parity::facts::ParityFacts;
use crate::features::parity::finding_kind::FindingKind;

/// Verdicts on a pair of tables.
pub const VERDICTS: &[VerdictSpec] = &[
    VerdictSpec { check: "parity", name: "rows", about: "all rows of both sides are equal", of: rows },
    VerdictSpec {
        check: "parity",
        name: "sync",
        about: "writes of the legacy table reach the partitioned one",
        of: sync,
    },
];

/// Are the rows of both sides equal?
pub fn rows(report: &Report) -> CheckVerdict {
    let Some(facts) = ParityFacts::of(report) else { return CheckVerdict::unread(report) };
    let about = |f: &&_| FindingKind::of(f).is_some_and(FindingKind::is_about_rows);
    let wrong: Vec<_> = report.findings.iter().filter(about).map(|f| f.message.as_str()).collect();
    if wrong.is_empty() {
        let rows = facts.legacy_rows.unwrap_or_default();
        return CheckVerdict::new(Ready::Ok, format!("{rows} rows equal ({})", facts.compared));
    }
    CheckVerdict::new(Ready::Fail, wrong.join("; "))
}

/// Do triggers copy every write?
fn sync(report: &Report) -> CheckVerdict {
    let Some(facts) = ParityFacts::of(report) else { return CheckVerdict::unread(report) };
    let triggers =
        |kind| matches!(kind, FindingKind::Trigger | FindingKind::TriggerColumns | FindingKind::Unmirrored);
    let wrong: Vec<_> = report
        .findings
        .iter()
        .filter(|f| FindingKind::of(f).is_some_and(triggers))
        .map(|f| f.message.as_str())
        .collect();
    if wrong.is_empty() {
        return CheckVerdict::new(Ready::Ok, format!("{} triggers copy every write", facts.triggers.len()));
    }
    CheckVerdict::new(Ready::Fail, wrong.join("; "))
}

/// What the comparison says of everything but rows: what it is about, and how bad that is.
pub(crate) fn besides_rows(report: &Report) -> Vec<(FindingKind, CheckVerdict)> {
    let mut out = Vec::new();
    for finding in &report.findings {
        let Some(kind) = FindingKind::of(finding).filter(|k| !k.is_about_rows()) else { continue };
        let critical = finding.severity == Severity::Critical;
        let status = if critical { Ready::Fail } else { Ready::Warn };
        out.push((kind, CheckVerdict::new(status, finding.message.clone())));
    }
    out
}
