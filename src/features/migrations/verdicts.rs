//! What plans may ask of a folder of migrations.

use crate::engine::check::verdict::{CheckVerdict, VerdictSpec};
use crate::engine::model::preflight::Ready;
use crate::engine::model::report::Report;
use crate::features::migrations::facts::{FileState, KIND, MigrationFacts};

/// Verdicts on a folder of migrations.
pub const VERDICTS: &[VerdictSpec] = &[
    VerdictSpec { check: KIND, name: "whole", about: "no file is applied in part", of: whole },
    VerdictSpec { check: KIND, name: "applied", about: "no file is pending", of: applied },
];

fn whole(report: &Report) -> Vec<CheckVerdict> {
    let Some(facts) = MigrationFacts::from_report(report) else { return vec![CheckVerdict::unread(report)] };
    let half = facts.files.iter().filter(|f| matches!(f.state, FileState::Partial | FileState::Failed));
    let half: Vec<_> = half.map(|f| f.name.as_str()).collect();
    let verdict = match half.as_slice() {
        [] if is_partly_unknown(report, &facts) => unknown(report),
        [] => CheckVerdict::new("partial", Ready::Ok, "0 files applied in part"),
        half => CheckVerdict::new("partial", Ready::Fail, format!("applied in part: {}", half.join(", "))),
    };
    vec![verdict]
}

fn applied(report: &Report) -> Vec<CheckVerdict> {
    let Some(facts) = MigrationFacts::from_report(report) else { return vec![CheckVerdict::unread(report)] };
    let verdict = match facts.pending {
        0 if is_partly_unknown(report, &facts) => unknown(report),
        0 => CheckVerdict::new("pending", Ready::Ok, "0 files pending"),
        n => CheckVerdict::new("pending", Ready::Warn, format!("{n} files pending")),
    };
    vec![verdict]
}

fn unknown(report: &Report) -> CheckVerdict {
    let why = report.unobserved().unwrap_or("whether every file is applied is not known");
    CheckVerdict::new(KIND, Ready::Unknown, why)
}

/// A file of which nothing is known, or a folder or history that could not be read: nothing found is no answer then.
fn is_partly_unknown(report: &Report, facts: &MigrationFacts) -> bool {
    report.unobserved().is_some() || facts.files.iter().any(|f| f.state == FileState::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::report::CheckId;
    use crate::features::migrations::facts::File;

    #[test]
    fn a_file_applied_in_part_blocks() {
        let file = |state| File { name: "7.sql".into(), state, applied_at: None, note: None };
        let id = CheckId { kind: "migrations", name: "main".into() };
        let report = |state| {
            let facts = MigrationFacts { pending: 1, files: vec![file(state)], ..MigrationFacts::default() };
            Report::observed(id.clone(), &facts, vec![], "ok")
        };
        let half = CheckVerdict::new("partial", Ready::Fail, "applied in part: 7.sql");
        assert_eq!(whole(&report(FileState::Partial)), [half]);
        assert_eq!(whole(&report(FileState::Pending)).first().map(|v| v.status), Some(Ready::Ok));
        let pending = CheckVerdict::new("pending", Ready::Warn, "1 files pending");
        assert_eq!(applied(&report(FileState::Pending)), [pending]);
    }

    #[test]
    fn what_could_not_be_read_is_not_taken_to_be_applied() {
        let id = || CheckId { kind: "migrations", name: "main".into() };
        let none = Report::observed(id(), &MigrationFacts::default(), vec![], "ok");
        let status = |answers: Vec<CheckVerdict>| answers.first().map(|v| v.status);
        assert_eq!((status(whole(&none)), status(applied(&none))), (Some(Ready::Ok), Some(Ready::Ok)));
        let unread = none.partly_unknown(Some("no such folder".into()));
        let unknown = [CheckVerdict::new("migrations", Ready::Unknown, "no such folder")];
        assert_eq!(whole(&unread), unknown);
        assert_eq!(applied(&unread), unknown);
        let file = File { name: "7.sql".into(), state: FileState::Unknown, applied_at: None, note: None };
        let facts = MigrationFacts { files: vec![file], ..MigrationFacts::default() };
        let report = Report::observed(id(), &facts, vec![], "ok");
        assert_eq!(
            (status(whole(&report)), status(applied(&report))),
            (Some(Ready::Unknown), Some(Ready::Unknown))
        );
    }
}
