//! What the parity check says of a twin before a switchover.

use crate::engine::check::kind::{CheckCx, CheckProgress};
use crate::engine::check::verdict::CheckVerdict;
use crate::engine::model::preflight::{Preflight, Ready};
use crate::engine::model::report::{CheckId, Report, Status};
use crate::engine::plan::operation::PlanCx;
use crate::features::parity::finding_kind::FindingKind;
use crate::features::parity::pair::SwitchState;
use crate::features::parity::verdicts::{self, besides_rows};
use crate::features::switchover::plan::twin_pair::TwinPair;
use crate::features::switchover::preflight::accept::{ok, warn};

/// What the parity check says of the twin: rows, columns, partitions, sequences.
pub(crate) async fn parity(cx: &PlanCx<'_>, couple: &TwinPair<'_>) -> Vec<Preflight> {
    let name = couple.twin.name();
    let Some(check) = cx.checks.iter().find(|c| c.spec().kind == "parity") else {
        return vec![Preflight::new(
            "parity",
            Ready::Unknown,
            format!("{name}: there is no parity check here"),
        )];
    };
    let id = CheckId { kind: "parity", name: name.to_owned() };
    let tell = |news: CheckProgress| {
        (cx.doing)(format!("comparing {name}: {}, {} rows so far", news.doing, news.rows));
    };
    (cx.doing)(format!("comparing {name}"));
    let look = CheckCx { quick: false, tell: &tell, ..cx.cx };
    let report = match check.observe(&look, &id).await {
        Ok(report) => report,
        Err(e) => return vec![Preflight::new("parity", Ready::Unknown, format!("{name}: {}", e.message))],
    };
    if let Status::Unknown { why } = &report.status {
        return vec![Preflight::new("parity", Ready::Unknown, format!("{name}: {why}"))];
    }
    let before = couple.standing == SwitchState::Before;
    let mut out = vec![rows(name, &report)];
    out.extend(
        besides_rows(&report).into_iter().filter_map(|(kind, verdict)| besides(name, before, kind, &verdict)),
    );
    out
}

/// The verdict on rows, with what makes them equal.
fn rows(name: &str, report: &Report) -> Preflight {
    let verdict = verdicts::rows(report);
    let mut text = format!("{name}: {}", verdict.text);
    if verdict.status == Ready::Fail {
        text = format!("{text}; midwatch plan repair {name}");
    }
    Preflight::new("parity", verdict.status, text)
}

/// What else the comparison says, as a switchover takes it.
fn besides(name: &str, before: bool, kind: FindingKind, verdict: &CheckVerdict) -> Option<Preflight> {
    let (what, text) = (kind.word(), format!("{name}: {}", verdict.text));
    Some(match kind {
        // The switch hands the legacy table's own over.
        FindingKind::Sequence if before => ok(what, format!("{text} (handed over in the switch)")),
        // Fired in a copy, which says more.
        FindingKind::Trigger | FindingKind::TriggerColumns | FindingKind::Unmirrored if before => {
            return None;
        }
        FindingKind::Trigger | FindingKind::TriggerColumns | FindingKind::Unmirrored => {
            warn(what, format!("{text}; midwatch plan repair-triggers {name}"))
        }
        FindingKind::Coverage => Preflight::new(
            what,
            Ready::Fail,
            format!("{text}; midwatch plan copy-missing {name} makes partitions"),
        ),
        FindingKind::ColumnsMissing => Preflight::new(
            what,
            Ready::Fail,
            format!("{text}; add them, then midwatch plan repair-triggers {name} and repair {name}"),
        ),
        FindingKind::Sums => Preflight::new(what, Ready::Fail, text),
        _ => Preflight::new(what, verdict.status, text),
    })
}
