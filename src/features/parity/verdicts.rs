//! What other features and plans may ask of a comparison.

use crate::engine::check::verdict::{CheckVerdict, VerdictSpec};
use crate::engine::model::preflight::Ready;
use crate::engine::model::report::{Finding, Report, Severity};
use crate::features::parity::facts::{KIND, ParityFacts};
use crate::features::parity::finding_kind::FindingKind;

/// The name of the verdict on everything but rows.
const STRUCTURE: &str = "structure";

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
        name: STRUCTURE,
        about: "columns, partitions, sequences and triggers fit",
        of: structure,
    },
];

/// The texts of the findings about something, to be shown; nothing is decided by them.
fn texts(report: &Report, about: fn(FindingKind) -> bool, without: &str) -> String {
    let such = report.findings.iter().filter(|f| FindingKind::from_finding(f).is_some_and(about));
    let texts: Vec<_> = such.map(|f| f.message.as_str()).collect();
    if texts.is_empty() { without.to_owned() } else { texts.join("; ") }
}

/// Are the rows of both sides equal?
fn rows(report: &Report) -> Vec<CheckVerdict> {
    let Some(facts) = ParityFacts::from_report(report) else { return vec![CheckVerdict::unread(report)] };
    let (status, text) = match (facts.equal(), facts.legacy_rows) {
        (Some(true), Some(rows)) => (Ready::Ok, format!("{rows} rows equal ({})", facts.compared)),
        (Some(false), _) => {
            let differ = format!("rows differ ({})", facts.compared);
            (Ready::Fail, texts(report, FindingKind::is_about_rows, &differ))
        }
        (None, _) | (Some(true), None) => (Ready::Unknown, facts.compared),
    };
    vec![CheckVerdict::new(KIND, status, text)]
}

/// Do triggers copy every write?
fn sync(report: &Report) -> Vec<CheckVerdict> {
    let Some(facts) = ParityFacts::from_report(report) else { return vec![CheckVerdict::unread(report)] };
    let (status, text) = match facts.copies_every_write() {
        Some(true) => (Ready::Ok, format!("{} triggers copy every write", facts.triggers.len())),
        Some(false) => {
            (Ready::Fail, texts(report, FindingKind::is_about_sync, "triggers do not copy every write"))
        }
        None => (Ready::Unknown, facts.compared),
    };
    vec![CheckVerdict::new("sync", status, text)]
}

/// A finding as a verdict.
pub(crate) fn severity(finding: &Finding) -> Ready {
    if finding.severity == Severity::Critical { Ready::Fail } else { Ready::Warn }
}

/// Everything but rows: an answer for each finding, which has its [`FindingKind`] as its source. A finding of a kind that
/// is not known here is an answer under the verdict's own name.
fn structure(report: &Report) -> Vec<CheckVerdict> {
    if ParityFacts::from_report(report).is_none() {
        return vec![CheckVerdict { about: STRUCTURE, ..CheckVerdict::unread(report) }];
    }
    let answer = |finding: &Finding| {
        let kind = FindingKind::from_finding(finding);
        if kind.is_some_and(FindingKind::is_about_rows) {
            return None;
        }
        let about = kind.map_or(STRUCTURE, FindingKind::word);
        let answer = CheckVerdict::new(about, severity(finding), finding.message.clone());
        Some(match kind {
            Some(kind) => answer.with_source(kind),
            None => answer,
        })
    };
    report.findings.iter().filter_map(answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::report::CheckId;
    use crate::features::parity::facts::{SyncTrigger, SyncTriggerState, UnmatchedRows};

    fn id() -> CheckId {
        CheckId { kind: KIND, name: "orders".into() }
    }

    fn finding(what: &str, severity: Severity) -> Finding {
        Finding {
            id: format!("{}/{what}", id()),
            severity,
            message: format!("found {what}"),
            title: None,
            rows: None,
            sample: vec![],
        }
    }

    /// Compared, equal, and every write is copied.
    fn equal() -> ParityFacts {
        let trigger = SyncTrigger {
            name: "copy".into(),
            state: SyncTriggerState::Enabled,
            events: SyncTrigger::EVENTS.map(str::to_owned).to_vec(),
            ..SyncTrigger::default()
        };
        ParityFacts {
            legacy_rows: Some(7),
            missing_in_partitioned: Some(0),
            missing_in_legacy: Some(0),
            different: Some(0),
            stale: Some(0),
            duplicate: Some(0),
            compared: "all rows".into(),
            triggers: vec![trigger],
            ..ParityFacts::default()
        }
    }

    fn report(facts: &ParityFacts, findings: Vec<Finding>) -> Report {
        Report::observed(id(), facts, findings, "ok")
    }

    #[test]
    fn a_comparison_answers_what_it_is_asked() {
        let fine = report(&equal(), vec![]);
        assert_eq!(rows(&fine), [CheckVerdict::new(KIND, Ready::Ok, "7 rows equal (all rows)")]);
        assert_eq!(sync(&fine), [CheckVerdict::new("sync", Ready::Ok, "1 triggers copy every write")]);
        assert_eq!(structure(&fine), []);
        let kinds = [FindingKind::Digests, FindingKind::Unmirrored, FindingKind::Gap].map(|k| k.with("x"));
        let [digests, unmirrored, gap] = kinds.each_ref().map(String::as_str);
        let facts = ParityFacts { different: Some(1), triggers: vec![], ..equal() };
        let bad = report(
            &facts,
            vec![
                finding(digests, Severity::Critical),
                finding(unmirrored, Severity::Critical),
                finding(gap, Severity::Warning),
            ],
        );
        assert_eq!(rows(&bad), [CheckVerdict::new(KIND, Ready::Fail, "found digests/x")]);
        assert_eq!(sync(&bad), [CheckVerdict::new("sync", Ready::Fail, "found unmirrored/x")]);
        let both = structure(&bad);
        let named: Vec<_> = both.iter().map(|v| (v.source::<FindingKind>(), v.status)).collect();
        let expected = [(Some(FindingKind::Unmirrored), Ready::Fail), (Some(FindingKind::Gap), Ready::Warn)];
        assert_eq!(named, expected);
    }

    #[test]
    fn facts_decide_where_findings_are_missing_or_not_known() {
        let differ = ParityFacts { stale: Some(2), triggers: vec![], ..equal() };
        for findings in [vec![], vec![finding("a_word_of_another_version", Severity::Critical)]] {
            let report = report(&differ, findings);
            let text = "rows differ (all rows)";
            assert_eq!(rows(&report), [CheckVerdict::new(KIND, Ready::Fail, text)]);
            assert_eq!(sync(&report).first().map(|v| v.status), Some(Ready::Fail));
        }
        let digests = |apart: Vec<_>| ParityFacts { different: None, digests_differ: Some(apart), ..equal() };
        let of = |facts: &ParityFacts| rows(&report(facts, vec![])).first().map(|v| v.status);
        assert_eq!(of(&digests(vec![])), Some(Ready::Ok));
        assert_eq!(of(&digests(vec![UnmatchedRows::default()])), Some(Ready::Fail));
    }

    #[test]
    fn rows_that_were_not_compared_are_not_equal() {
        let quick = ParityFacts { different: None, compared: "counts only".into(), ..equal() };
        let unknown = [CheckVerdict::new(KIND, Ready::Unknown, "counts only")];
        assert_eq!(rows(&report(&quick, vec![])), unknown);
        let alone = ParityFacts { legacy_rows: None, compared: "counts only".into(), ..equal() };
        assert_eq!(rows(&report(&alone, vec![])), unknown);
        let nothing_to_copy = [CheckVerdict::new("sync", Ready::Unknown, "counts only")];
        assert_eq!(sync(&report(&alone, vec![])), nothing_to_copy);
    }

    #[test]
    fn every_event_must_be_copied_by_a_trigger_that_fires_for_all_of_it() {
        let with = |change: fn(&mut SyncTrigger)| {
            let mut facts = equal();
            facts.triggers.iter_mut().for_each(change);
            facts.copies_every_write()
        };
        assert_eq!(with(|_| {}), Some(true));
        assert_eq!(with(|t| drop(t.events.pop())), Some(false));
        assert_eq!(with(|t| t.partial = vec!["UPDATE".into()]), Some(false));
        assert_eq!(with(|t| t.state = SyncTriggerState::Disabled), Some(false));
        assert_eq!(with(|t| t.unknown_columns = vec!["x".into()]), Some(false));
        let conditional = |t: &mut SyncTrigger| {
            (t.state, t.only) = (SyncTriggerState::Conditional, Some("when x".into()));
        };
        assert_eq!(with(conditional), Some(false));
    }

    #[test]
    fn what_is_not_understood_is_not_left_out() {
        let odd = report(&equal(), vec![finding("a_word_of_another_version", Severity::Warning)]);
        let text = "found a_word_of_another_version";
        assert_eq!(structure(&odd), [CheckVerdict::new(STRUCTURE, Ready::Warn, text)]);
        let none = Report::unknown(id(), "no connection");
        assert_eq!(structure(&none), [CheckVerdict::new(STRUCTURE, Ready::Unknown, "no connection")]);
    }
}
