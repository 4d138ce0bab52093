//! What plans may ask of a folder of migrations.

use crate::engine::check::verdict::{CheckVerdict, VerdictSpec};
use crate::engine::model::preflight::Ready;
use crate::engine::model::report::Report;
use crate::features::migrations::facts::{FileState, MigrationFacts};

/// Verdicts on a folder of migrations.
pub const VERDICTS: &[VerdictSpec] = &[
    VerdictSpec { check: "migrations", name: "whole", about: "no file is applied in part", of: whole },
    VerdictSpec { check: "migrations", name: "applied", about: "no file is pending", of: applied },
];

fn whole(report: &Report) -> Vec<CheckVerdict> {
    let Some(facts) = MigrationFacts::of(report) else { return vec![CheckVerdict::unread(report)] };
    let half = facts.files.iter().filter(|f| matches!(f.state, FileState::Partial | FileState::Failed));
    let half: Vec<_> = half.map(|f| f.name.as_str()).collect();
    if half.is_empty() {
        return vec![CheckVerdict::new("partial", Ready::Ok, "0 files applied in part")];
    }
    vec![CheckVerdict::new("partial", Ready::Fail, format!("applied in part: {}", half.join(", ")))]
}

fn applied(report: &Report) -> Vec<CheckVerdict> {
    let Some(facts) = MigrationFacts::of(report) else { return vec![CheckVerdict::unread(report)] };
    let status = if facts.pending == 0 { Ready::Ok } else { Ready::Warn };
    vec![CheckVerdict::new("pending", status, format!("{} files pending", facts.pending))]
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
            Report::of(id.clone(), &facts, vec![], "ok")
        };
        let half = CheckVerdict::new("partial", Ready::Fail, "applied in part: 7.sql");
        assert_eq!(whole(&report(FileState::Partial)), [half]);
        assert_eq!(whole(&report(FileState::Pending)).first().map(|v| v.status), Some(Ready::Ok));
        let pending = CheckVerdict::new("pending", Ready::Warn, "1 files pending");
        assert_eq!(applied(&report(FileState::Pending)), [pending]);
    }
}
