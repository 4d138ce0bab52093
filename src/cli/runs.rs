//! `runs` and `journal verify`.

use std::path::Path;

use super::args::RunsArgs;
use super::output::Output;
use crate::disk;
use crate::engine::model::clean;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::journal_state::JournalState;
use crate::engine::model::record::JournalShown;
use crate::engine::{Engine, journal};
use crate::report::answer::Answer;
use crate::report::logs;

/// Drifted rows listed with a run.
const DRIFTED: u32 = 1_000;

pub(super) async fn list(engine: &Engine, args: &RunsArgs, out: &Output) -> Result<u8> {
    engine.needs_journal().await?;
    let Some(id) = &args.run else {
        let listed = engine.runs(args.limit, args.before.as_deref()).await?;
        out.answer(&Answer::Runs(&listed))?;
        return Ok(0);
    };
    let record = engine.run_record(id).await?;
    let events = journal::runs::events(engine.facts(), id).await?;
    let drifted = journal::runs::drifted(engine.facts(), id, DRIFTED).await?;
    let shown = JournalShown { record, events, drifted };
    if let Some(dir) = &args.logs {
        return write_logs(dir, &shown, out);
    }
    out.answer(&Answer::Run(&shown))?;
    Ok(0)
}

/// One line for each file that was written.
fn write_logs(dir: &Path, shown: &JournalShown, out: &Output) -> Result<u8> {
    let failed = |path: &Path, e: &std::io::Error| {
        Error::new(Class::Failed, format!("failed to write {}: {e}", path.display()))
    };
    disk::directory(dir).map_err(|e| failed(dir, &e))?;
    let mut written = Vec::new();
    for (name, text) in logs::of_run(shown) {
        let path = dir.join(name);
        disk::save(&path, clean::lines(&text).as_bytes()).map_err(|e| failed(&path, &e))?;
        written.push(path.display().to_string());
    }
    out.answer(&Answer::Logs(&written))?;
    Ok(0)
}

pub(super) async fn verify(engine: &Engine, out: &Output) -> Result<u8> {
    // What is left of a damaged one is looked at all the same.
    let state = engine.journal_now().await;
    if !matches!(state, JournalState::Damaged { .. } | JournalState::Foreign { .. }) {
        engine.needs_journal().await?;
    }
    let verified = engine.verify_journal().await?;
    out.answer(&Answer::Journal(&verified))?;
    Ok(match () {
        () if !verified.findings.is_empty() => 1,
        () if !verified.unobserved.is_empty() || !verified.unknown.is_empty() => 5,
        () => 0,
    })
}
