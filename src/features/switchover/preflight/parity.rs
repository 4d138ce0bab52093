//! What the parity check says of a twin before a switchover.

use crate::engine::check::kind::CheckNews;
use crate::engine::check::kind::Cx;
use crate::engine::model::preflight::Preflight;
use crate::engine::model::preflight::Ready;
use crate::engine::model::report::CheckId;
use crate::engine::model::report::Severity;
use crate::engine::model::report::Status;
use crate::engine::plan::operation::PlanCx;
use crate::features::parity::pair::Standing;
use crate::features::parity::pair::about_rows;
use crate::features::switchover::plan::twin_pair::Couple;
use crate::features::switchover::preflight::accept::ok;
use crate::features::switchover::preflight::accept::warn;
use serde_json::Value;

/// What the parity check says of the twin: rows, columns, partitions, sequences.
pub(crate) async fn parity(cx: &PlanCx<'_>, couple: &Couple<'_>) -> Vec<Preflight> {
    let name = couple.twin.name();
    let Some(check) = cx.checks.iter().find(|c| c.spec().kind == "parity") else {
        return vec![Preflight::new(
            "parity",
            Ready::Unknown,
            format!("{name}: there is no parity check here"),
        )];
    };
    let id = CheckId { kind: "parity", name: name.to_owned() };
    let tell =
        |news: CheckNews| (cx.doing)(format!("comparing {name}: {}, {} rows so far", news.doing, news.rows));
    (cx.doing)(format!("comparing {name}"));
    let look = Cx { quick: false, tell: &tell, ..cx.cx };
    let report = match check.observe(&look, &id).await {
        Ok(report) => report,
        Err(e) => return vec![Preflight::new("parity", Ready::Unknown, format!("{name}: {}", e.message))],
    };
    if let Status::Unknown { why } = &report.status {
        return vec![Preflight::new("parity", Ready::Unknown, format!("{name}: {why}"))];
    }
    let mut out = Vec::new();
    let rows = report.facts["legacy_rows"].as_u64().unwrap_or_default();
    let wrong: Vec<_> = report.findings.iter().filter(|f| about_rows(f.what())).collect();
    out.push(if wrong.is_empty() {
        ok("parity", format!("{name}: {rows} rows equal ({})", text(&report.facts["compared"])))
    } else {
        let said: Vec<_> = wrong.iter().map(|f| f.message.as_str()).collect();
        let text = format!("{name}: {}; midwatch plan repair {name}", said.join("; "));
        Preflight::new("parity", Ready::Fail, text)
    });
    for f in report.findings.iter().filter(|f| !about_rows(f.what())) {
        let message = format!("{name}: {}", f.message);
        let what = f.what().split('/').next().unwrap_or_default();
        out.push(match what {
            // The switch hands the legacy table's own over.
            "sequence" if couple.standing == Standing::Before => {
                ok("sequence", format!("{message} (handed over in the switch)"))
            }
            // Fired in a copy, which says more.
            "trigger" | "trigger_columns" | "unmirrored" if couple.standing == Standing::Before => continue,
            "trigger" | "trigger_columns" | "unmirrored" => {
                warn(what, format!("{message}; midwatch plan repair-triggers {name}"))
            }
            "coverage" => Preflight::new(
                what,
                Ready::Fail,
                format!("{message}; midwatch plan copy-missing {name} makes partitions"),
            ),
            "columns_missing" => Preflight::new(
                what,
                Ready::Fail,
                format!("{message}; add them, then midwatch plan repair-triggers {name} and repair {name}"),
            ),
            "sums" => Preflight::new(what, Ready::Fail, message),
            _ if f.severity == Severity::Critical => Preflight::new(what, Ready::Fail, message),
            _ => warn(what, message),
        });
    }
    out
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
