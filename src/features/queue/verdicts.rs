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

fn stuck(report: &Report) -> Vec<CheckVerdict> {
    count(report, "stuck", |f| f.stuck, "rows in progress for too long", Ready::Fail)
}

fn exhausted(report: &Report) -> Vec<CheckVerdict> {
    count(report, "exhausted", |f| f.exhausted, "rows failed with all attempts used", Ready::Warn)
}

fn count(
    report: &Report,
    about: &'static str,
    of: fn(&QueueFacts) -> u64,
    what: &str,
    bad: Ready,
) -> Vec<CheckVerdict> {
    let Some(facts) = QueueFacts::from_report(report) else { return vec![CheckVerdict::unread(report)] };
    let rows = of(&facts);
    vec![CheckVerdict::new(about, if rows == 0 { Ready::Ok } else { bad }, format!("{rows} {what}"))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::report::CheckId;

    #[test]
    fn a_verdict_follows_from_the_facts() {
        let id = CheckId { kind: "queue", name: "jobs".into() };
        let facts = QueueFacts { stuck: 2, ..QueueFacts::default() };
        let report = Report::observed(id.clone(), &facts, vec![], "ok");
        let two = CheckVerdict::new("stuck", Ready::Fail, "2 rows in progress for too long");
        assert_eq!(stuck(&report), [two]);
        assert_eq!(exhausted(&report).first().map(|v| v.status), Some(Ready::Ok));
        let unread = CheckVerdict::new("queue", Ready::Unknown, "no connection");
        assert_eq!(stuck(&Report::unknown(id, "no connection")), [unread]);
    }
}
