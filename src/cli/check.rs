//! `midwatch check`.

use std::path::Path;

use futures_util::stream::{self, StreamExt as _};

use super::args::CheckArgs;
use super::output::Output;
use crate::engine::{Engine, Error, Report, Result, Status};
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
    let mut running = stream::iter(ids.iter().map(|id| engine.observe(id, args.quick))).buffered(AT_ONCE);
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
        save(path, &format!("{envelope:#}\n"))?;
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

/// Written beside and renamed into place: a reader never meets half a file.
fn save(path: &Path, text: &str) -> Result<()> {
    let fail = |e: std::io::Error| Error::usage(format!("failed to write {}: {e}", path.display()));
    if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir).map_err(fail)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    std::fs::write(&part, text).map_err(fail)?;
    std::fs::rename(&part, path).map_err(fail)
}
