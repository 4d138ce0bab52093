//! What plans may ask of the roles.

use crate::engine::check::verdict::{CheckVerdict, VerdictSpec};
use crate::engine::model::preflight::Ready;
use crate::engine::model::report::{Report, Severity};
use crate::features::roles::facts::KIND;

/// Verdicts on the roles of a target.
pub const VERDICTS: &[VerdictSpec] = &[VerdictSpec {
    check: KIND,
    name: "findings",
    about: "the target is looked at with the rights that reading needs, as its environment asks",
    of: findings,
}];

fn findings(report: &Report) -> Vec<CheckVerdict> {
    if report.id.kind != KIND || report.unobserved().is_some() {
        return vec![CheckVerdict::unread(report)];
    }
    let status = match report.findings.iter().map(|f| f.severity).max() {
        Some(Severity::Critical) => Ready::Fail,
        Some(Severity::Warning) => Ready::Warn,
        Some(Severity::Info) | None => Ready::Ok,
    };
    vec![CheckVerdict::new("roles", status, report.summary.clone())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::report::{CheckId, Finding};

    #[test]
    fn a_verdict_follows_from_the_worst_finding() {
        let id = CheckId { kind: KIND, name: "reader".into() };
        let report = |severity| {
            let message = "role a looks as superuser".to_owned();
            let id = format!("{id}/superuser");
            Finding { id, severity, message, title: None, rows: None, sample: vec![] }
        };
        let of = |found| {
            let report =
                Report::observed(id.clone(), &serde_json::json!({}), found, "role a is no superuser");
            findings(&report).first().map(|v| v.status)
        };
        assert_eq!(of(vec![report(Severity::Critical)]), Some(Ready::Fail));
        assert_eq!(of(vec![report(Severity::Info)]), Some(Ready::Ok));
        let unread = findings(&Report::unknown(id.clone(), "no connection"));
        assert_eq!(unread.first().map(|v| v.status), Some(Ready::Unknown));
    }
}
