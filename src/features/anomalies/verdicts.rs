//! What plans may ask of a rule.

use crate::engine::check::verdict::{CheckVerdict, VerdictSpec};
use crate::engine::model::preflight::Ready;
use crate::engine::model::report::Report;
use crate::features::anomalies::check::ROWS;
use crate::features::anomalies::facts::{AnomalyFacts, KIND};
use crate::features::anomalies::texts;

/// Verdicts on a rule.
pub const VERDICTS: &[VerdictSpec] =
    &[VerdictSpec { check: KIND, name: ROWS, about: "the rule has no rows", of: rows }];

/// Whoever asks wants none, whatever the rule's severity.
fn rows(report: &Report) -> Vec<CheckVerdict> {
    let Some(facts) = AnomalyFacts::from_report(report) else { return vec![CheckVerdict::unread(report)] };
    let status = if facts.rows == 0 { Ready::Ok } else { Ready::Fail };
    vec![CheckVerdict::new(ROWS, status, texts::rows_of_rule(facts.rows))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::report::CheckId;

    #[test]
    fn a_rule_is_judged_by_its_facts() {
        let id = |kind| CheckId { kind, name: "negative".into() };
        let report = |n| Report::observed(id(KIND), &AnomalyFacts { rows: n }, vec![], "ok");
        assert_eq!(rows(&report(0)), [CheckVerdict::new(ROWS, Ready::Ok, "0 rows break the rule")]);
        assert_eq!(rows(&report(2)), [CheckVerdict::new(ROWS, Ready::Fail, "2 rows break the rule")]);
        let unread = CheckVerdict::new(KIND, Ready::Unknown, "no connection");
        assert_eq!(rows(&Report::unknown(id(KIND), "no connection")), [unread]);
        let other = Report::observed(id("queue"), &AnomalyFacts { rows: 0 }, vec![], "ok");
        assert_eq!(rows(&other).first().map(|v| v.status), Some(Ready::Unknown));
    }
}
