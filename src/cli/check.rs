//! `midwatch check`.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::stream::{self, StreamExt as _};

use super::args::CheckArgs;
use super::output::{Output, save};
use crate::engine::{CheckId, CheckNews, Engine, How, Report, Result, Status};
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
    let done = AtomicUsize::new(0);
    let tell = |id: &CheckId, news: &CheckNews| {
        Output::progress(&format!(
            "checked {} of {total}; {}",
            done.load(Ordering::Relaxed),
            how_far(id, news)
        ));
    };
    let look = |id| async move { engine.observe_telling(id, how, &|news| tell(id, &news)).await };
    let mut running = stream::iter(ids.iter().map(look)).buffered(AT_ONCE);
    Output::progress(&format!("checking 1 of {total}"));
    while let Some(report) = running.next().await {
        reports.push(report);
        done.store(reports.len(), Ordering::Relaxed);
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

fn how_far(id: &CheckId, news: &CheckNews) -> String {
    let CheckNews { doing, done, pieces, rows, .. } = news;
    if *pieces > 1 {
        format!("{id}: {doing} {done} of {pieces}, {rows} rows")
    } else {
        format!("{id}: {doing}")
    }
}

fn exit_code(reports: &[Report]) -> u8 {
    let any = |f: fn(&Status) -> bool| reports.iter().any(|r| f(&r.status));
    if any(|s| matches!(s, Status::Unknown { .. })) {
        5
    } else {
        u8::from(any(|s| matches!(s, Status::Fail | Status::Warn)))
    }
}
