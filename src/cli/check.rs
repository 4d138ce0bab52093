//! `midwatch check`.

use futures_util::stream::{self, StreamExt as _};

use super::args::CheckArgs;
use super::output::{Output, save};
use crate::engine::{Engine, How, Report, Result, Status};
use crate::report::{json, text};

/// As many as the reader has sessions.
const AT_ONCE: usize = 3;

pub(super) async fn run(engine: &Engine, args: &CheckArgs, out: &Output) -> Result<u8> {
    let ids = engine.select(&args.checks)?;
    if let Some(note) = &engine.environment.1 {
        tracing::info!("{note}");
    }
    let total = ids.len();
    let mut reports: Vec<Report> = Vec::with_capacity(total);
    let how = How { quick: args.quick, full: args.full, resume: args.resume, self_test: args.self_test };
    let mut running = stream::iter(ids.iter().map(|id| engine.observe_as(id, how))).buffered(AT_ONCE);
    Output::progress(&format!("checking 1 of {total}"));
    while let Some(report) = running.next().await {
        reports.push(report);
        Output::progress(&format!("checked {} of {total}", reports.len()));
    }
    drop(running);
    Output::end_progress();
    let target = engine.target();
    let envelope = json::checks(&target, &reports);
    if let Some(path) = &args.out {
        save(path, &format!("{envelope:#}\n"), 0o644)?;
    }
    if out.json {
        out.value(&envelope)?;
    } else {
        out.text(&text::checks(&target, &reports, out.style()))?;
    }
    Ok(exit_code(&reports))
}

fn exit_code(reports: &[Report]) -> u8 {
    let any = |f: fn(&Status) -> bool| reports.iter().any(|r| f(&r.status));
    if any(|s| matches!(s, Status::Unknown { .. })) {
        5
    } else {
        u8::from(any(|s| matches!(s, Status::Fail | Status::Warn)))
    }
}
