//! What other features and plans may ask of a comparison.

use crate::engine::check::verdict::{CheckVerdict, VerdictSpec};
use crate::engine::model::preflight::Ready;
use crate::engine::model::report::{Finding, Report, Severity};
use crate::features::parity::facts::{KIND, ParityFacts};
use crate::features::parity::finding_kind::FindingKind;

/// Verdicts on a pair of tables.
pub const VERDICTS: &[VerdictSpec] = &[
    VerdictSpec { check: KIND, name: "rows", about: "all rows of both sides are equal", of: rows },
    VerdictSpec {
        check: KIND,
        name: "sync",
        about: "writes of the legacy table reach the partitioned one",
        of: sync,
    },
    VerdictSpec {
        check: KIND,
        name: "structure",
        about: "columns, partitions, sequences and triggers fit",
        of: structure,
    },
];

fn messages(report: &Report, about: fn(FindingKind) -> bool) -> Vec<&str> {
    let such = report.findings.iter().filter(|f| FindingKind::of(f).is_some_and(about));
    such.map(|f| f.message.as_str()).collect()
}

/// Are the rows of both sides equal?
fn rows(report: &Report) -> Vec<CheckVerdict> {
    let Some(facts) = ParityFacts::of(report) else { return vec![CheckVerdict::unread(report)] };
    let wrong = messages(report, FindingKind::is_about_rows);
    let (status, text) = if wrong.is_empty() {
        let rows = facts.legacy_rows.unwrap_or_default();
        (Ready::Ok, format!("{rows} rows equal ({})", facts.compared))
    } else {
        (Ready::Fail, wrong.join("; "))
    };
    vec![CheckVerdict::new(KIND, status, text)]
}

/// Do triggers copy every write?
fn sync(report: &Report) -> Vec<CheckVerdict> {
    let Some(facts) = ParityFacts::of(report) else { return vec![CheckVerdict::unread(report)] };
    let wrong = messages(report, FindingKind::is_about_sync);
    let (status, text) = if wrong.is_empty() {
        (Ready::Ok, format!("{} triggers copy every write", facts.triggers.len()))
    } else {
        (Ready::Fail, wrong.join("; "))
    };
    vec![CheckVerdict::new("sync", status, text)]
}

/// Everything but rows: an answer for each finding, named by its kind ([`FindingKind::named`] reads it back).
fn structure(report: &Report) -> Vec<CheckVerdict> {
    let answer = |finding: &Finding| {
        let kind = FindingKind::of(finding).filter(|k| !k.is_about_rows())?;
        let critical = finding.severity == Severity::Critical;
        let status = if critical { Ready::Fail } else { Ready::Warn };
        Some(CheckVerdict::new(kind.word(), status, finding.message.clone()))
    };
    report.findings.iter().filter_map(answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::report::CheckId;

    #[test]
    fn a_comparison_answers_what_it_is_asked() {
        let id = CheckId { kind: KIND, name: "orders".into() };
        let finding = |kind: FindingKind, severity| Finding {
            id: format!("{id}/{}", kind.with("x")),
            severity,
            message: format!("{kind:?}"),
            rows: None,
            sample: vec![],
        };
        let facts =
            ParityFacts { legacy_rows: Some(7), compared: "all rows".into(), ..ParityFacts::default() };
        let report = |findings| Report::of(id.clone(), &facts, findings, "ok");
        let fine = report(vec![]);
        assert_eq!(rows(&fine), [CheckVerdict::new(KIND, Ready::Ok, "7 rows equal (all rows)")]);
        assert_eq!(sync(&fine), [CheckVerdict::new("sync", Ready::Ok, "0 triggers copy every write")]);
        assert_eq!(structure(&fine), []);
        let bad = report(vec![
            finding(FindingKind::Digests, Severity::Critical),
            finding(FindingKind::Unmirrored, Severity::Critical),
            finding(FindingKind::Gap, Severity::Warning),
        ]);
        assert_eq!(rows(&bad), [CheckVerdict::new(KIND, Ready::Fail, "Digests")]);
        assert_eq!(sync(&bad), [CheckVerdict::new("sync", Ready::Fail, "Unmirrored")]);
        let both = structure(&bad);
        let named: Vec<_> = both.iter().map(|v| (FindingKind::named(v.about), v.status)).collect();
        let expected = [(Some(FindingKind::Unmirrored), Ready::Fail), (Some(FindingKind::Gap), Ready::Warn)];
        assert_eq!(named, expected);
    }
}
