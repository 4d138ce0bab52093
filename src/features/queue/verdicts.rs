//! What plans may ask of a queue.

use crate::engine::check::verdict::{CheckVerdict, VerdictSpec};
use crate::engine::model::preflight::Ready;
use crate::engine::model::report::Report;
use crate::features::queue::facts::QueueFacts;

/// Verdicts on a queue.
pub const VERDICTS: &[VerdictSpec] = &[
    VerdictSpec { check: "queue", name: "stuck", about: "no row is in progress for too long", of: stuck },
    VerdictSpec { check: "queue", name: "exhausted", about: "no row has used all attempts", of: exhausted },
];

fn stuck(report: &Report) -> CheckVerdict {
    count(report, |f| f.stuck, "rows in progress for too long", Ready::Fail)
}

fn exhausted(report: &Report) -> CheckVerdict {
    count(report, |f| f.exhausted, "rows failed with all attempts used", Ready::Warn)
}

fn count(report: &Report, of: fn(&QueueFacts) -> u64, what: &str, bad: Ready) -> CheckVerdict {
    let Some(facts) = QueueFacts::of(report) else { return CheckVerdict::unread(report) };
    let rows = of(&facts);
    CheckVerdict::new(if rows == 0 { Ready::Ok } else { bad }, format!("{rows} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::report::CheckId;

    #[test]
    fn a_verdict_follows_from_the_facts() {
        let id = CheckId { kind: "queue", name: "jobs".into() };
        let facts = QueueFacts { stuck: 2, ..QueueFacts::default() };
        let report = Report::of(id.clone(), &facts, vec![], "ok");
        assert_eq!(stuck(&report), CheckVerdict::new(Ready::Fail, "2 rows in progress for too long"));
        assert_eq!(exhausted(&report).status, Ready::Ok);
        assert_eq!(
            stuck(&Report::unknown(id, "no connection")),
            CheckVerdict::new(Ready::Unknown, "no connection")
        );
    }
}
