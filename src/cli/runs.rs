//! `runs` and `journal verify`.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

use super::args::RunsArgs;
use super::output::Output;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::record::JournalShown;
use crate::engine::{Engine, journal};
use crate::report::{json, logs, text};

/// Drifted rows listed with a run.
const DRIFTED: u32 = 1_000;

pub(super) async fn list(engine: &Engine, args: &RunsArgs, out: &Output) -> Result<u8> {
    engine.needs_journal().await?;
    let Some(id) = &args.run else {
        let listed = engine.runs(args.limit, args.before.as_deref()).await?;
        if out.json {
            out.value(&json::runs(&listed))?;
        } else {
            out.text(&text::runs(&listed, out.style()))?;
        }
        return Ok(0);
    };
    let record = engine.run_record(id).await?;
    let events = journal::runs::events(&*engine.facts, id).await?;
    let drifted = journal::runs::drifted(&*engine.facts, id, DRIFTED).await?;
    let shown = JournalShown { record, events, drifted };
    if let Some(dir) = &args.logs {
        return write_logs(dir, &shown, out);
    }
    if out.json {
        out.value(&json::run(&shown))?;
    } else {
        out.text(&text::run(&shown, out.style()))?;
    }
    Ok(0)
}

/// One line for each file that was written.
fn write_logs(dir: &Path, shown: &JournalShown, out: &Output) -> Result<u8> {
    let failed = |path: &Path, e: &std::io::Error| {
        Error::new(Class::Failed, format!("failed to write {}: {e}", path.display()))
    };
    std::fs::create_dir_all(dir).map_err(|e| failed(dir, &e))?;
    let mut written = Vec::new();
    for (name, text) in logs::of(shown) {
        let path = dir.join(name);
        std::fs::write(&path, text).map_err(|e| failed(&path, &e))?;
        written.push(path.display().to_string());
    }
    if out.json {
        out.value(&json::named("logs", json!(written)))?;
    } else {
        out.text(&format!("{}\n", written.join("\n")))?;
    }
    Ok(0)
}

pub(super) async fn verify(engine: &Engine, out: &Output) -> Result<u8> {
    engine.needs_journal().await?;
    let verified = engine.verify_journal().await?;
    if out.json {
        out.value(&json::named("journal", json!(verified)))?;
    } else {
        let mut text = String::new();
        for line in &verified.compared {
            let _ = writeln!(text, "compared  {line}");
        }
        for finding in &verified.findings {
            let _ = writeln!(text, "✖ {finding}");
        }
        if verified.findings.is_empty() {
            text.push_str("✓ nothing altered or removed was found\n");
        }
        out.text(&text)?;
    }
    Ok(u8::from(!verified.findings.is_empty()))
}
