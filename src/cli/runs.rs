//! `runs` and `journal verify`.

use std::fmt::Write as _;

use serde_json::json;

use super::args::RunsArgs;
use super::output::Output;
use crate::engine::journal::{self, JournalShown};
use crate::engine::{Engine, Result};
use crate::report::{json, text};

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
    let record = journal::run(&*engine.facts, id).await?;
    let events = journal::events(&*engine.facts, id).await?;
    let drifted = journal::drifted(&*engine.facts, id, DRIFTED).await?;
    let shown = JournalShown { record, events, drifted };
    if out.json {
        out.value(&json::run(&shown))?;
    } else {
        out.text(&text::run(&shown, out.style()))?;
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
