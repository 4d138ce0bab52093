//! `plan`, `apply`, `undo`, `resume`: the same door as the console's.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::args::{ApplyArgs, PlanArgs, ResumeArgs, UndoArgs};
use super::output::{Output, save};
use crate::disk;
use crate::engine::Engine;
use crate::engine::changes::Resumption;
use crate::engine::gate::guard::{Approved, TypedPhrase};
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::json::field;
use crate::engine::model::param::Params;
use crate::engine::model::plan::Plan;
use crate::engine::model::progress::{Control, Done, Phase, Progress};
use crate::engine::model::stored::StoredPlan;
use crate::engine::plan::request::{PlanNews, Planned, Request};
use crate::report::answer::Answer;
use crate::report::json::{self, Json};
use crate::report::renderer::Renderer as _;
use crate::report::style::Style;
use crate::stop::Stop;

pub(super) async fn plan(engine: &Engine, args: &PlanArgs, out: &Output) -> Result<u8> {
    let params = params(&args.set)?;
    let request = Request::Operation { verb: args.operation.clone(), name: args.name.clone(), params };
    show(engine, &request, args.out.as_deref(), out).await
}

/// The keys that were given, each once.
pub(super) fn params(set: &[(String, String)]) -> Result<Params> {
    let mut params = BTreeMap::new();
    for (key, value) in set {
        if let Some(before) = params.insert(key.clone(), value.clone()) {
            return Err(Error::usage(format!("--set {key} is given twice: {before} and {value}"))
                .hint("one value each; several ids are one list, comma separated"));
        }
    }
    Ok(Params(params))
}

pub(super) async fn undo(engine: &Engine, args: &UndoArgs, out: &Output) -> Result<u8> {
    show(engine, &Request::Undo { run: args.run.clone() }, args.out.as_deref(), out).await
}

async fn show(engine: &Engine, request: &Request, file: Option<&Path>, out: &Output) -> Result<u8> {
    let news = |n: PlanNews| match n {
        PlanNews::Counted(rows) => Output::progress(&format!("planning: {rows} rows")),
        PlanNews::Doing(what) => Output::progress(&format!("planning: {what}")),
        PlanNews::First(_) => {}
    };
    let Planned { plan, rows } = engine.plan(request, &news).await?;
    Output::end_progress();
    let answer = Answer::Plan { plan: &plan, file };
    if let Some(path) = file {
        rows.save(&rows_beside(path))?;
        save(path, &Json.render(&answer, Style { colour: false }))?;
    }
    out.answer(&answer)?;
    Ok(0)
}

fn rows_beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".rows");
    PathBuf::from(name)
}

/// A plan's file. Its version is looked at before anything that another version may have written differently.
pub(super) fn read(path: &Path) -> Result<StoredPlan> {
    let broken = |what: String| {
        Error::usage(format!("failed to read the plan {}: {what}", path.display()))
            .hint("midwatch plan … --out FILE writes one")
    };
    let text = disk::text(path).map_err(|e| broken(e.to_string()))?;
    let mut envelope: Value = serde_json::from_str(&text).map_err(|e| broken(e.to_string()))?;
    let version = field(&envelope, "schema_version");
    if *version != json!(json::SCHEMA_VERSION) {
        return Err(broken(format!(
            "it was made by another version of midwatch: its schema_version is {version}, this version reads {}",
            json::SCHEMA_VERSION
        )));
    }
    StoredPlan::read(envelope.get_mut("plan").map(Value::take).unwrap_or_default()).map_err(|e| {
        let hint = e.hint.unwrap_or_else(|| "midwatch plan … --out FILE writes one".into());
        Error::usage(format!("failed to read the plan {}: {}", path.display(), e.message)).hint(hint)
    })
}

pub(super) async fn apply(engine: &Engine, plan: StoredPlan, args: &ApplyArgs, out: &Output) -> Result<u8> {
    let rows = engine.adapters().spools.open(&rows_beside(&args.plan))?;
    let planned = match engine.open_plan(plan, rows) {
        Ok(planned) => planned,
        Err(e) if e.class == Class::Usage => return Err(e),
        Err(e) => return finish(&Done::refused(e), out),
    };
    let gate = match engine.review(planned, true).await {
        Ok(gate) => gate,
        Err(e) if matches!(e.class, Class::Refused | Class::Stale) => return finish(&Done::refused(e), out),
        Err(e) => return Err(e),
    };
    let typed = TypedPhrase {
        phrase: args.confirm.as_deref().unwrap_or_default(),
        database: args.confirm_target.as_deref(),
        at: engine.server_time().await?,
    };
    match gate.confirm(&typed) {
        Ok(approved) => run(engine, approved, out).await,
        Err(denied) => {
            let why = match denied.why.hint {
                None => denied.why.hint("--confirm PHRASE, byte for byte as the plan has it"),
                Some(_) => denied.why,
            };
            finish(&Done::refused(why), out)
        }
    }
}

pub(super) async fn resume(engine: &Engine, args: &ResumeArgs, out: &Output) -> Result<u8> {
    let shown = |plan: &Plan, why: &Error| {
        out.answer(&Answer::Foreign { plan, why })?;
        out.failure(why);
        Ok(why.exit_code())
    };
    match engine.review_resumption(&args.run, true).await? {
        Some(Resumption::Approved(approved)) => run(engine, *approved, out).await,
        Some(Resumption::Refused { plan, why }) => shown(&plan, &why),
        Some(Resumption::Foreign(gate)) => {
            let Some(phrase) = &args.confirm else { return shown(gate.plan(), &gate.refusal()) };
            let typed = TypedPhrase {
                phrase,
                database: args.confirm_target.as_deref(),
                at: engine.server_time().await?,
            };
            match gate.confirm(&typed) {
                Ok(approved) => run(engine, approved, out).await,
                Err(denied) => finish(&Done::refused(denied.1), out),
            }
        }
        None => {
            let message = format!("run {} is finished: nothing to do", args.run);
            // Finished is not the same as applied: rows may have drifted, the proof may have failed.
            let was = engine.run_record(&args.run).await?;
            out.answer(&Answer::Finished { id: &args.run, was: &was, message: &message })?;
            Ok(0)
        }
    }
}

async fn run(engine: &Engine, approved: Approved, out: &Output) -> Result<u8> {
    let control = Arc::new(Control::default());
    let asked = Arc::clone(&control);
    // The batch under way is finished and written down; a second ^C changes nothing about that.
    let listener = tokio::spawn(async move {
        let Ok(mut stop) = Stop::new() else { return };
        loop {
            asked.stop(stop.wait().await.by());
            Output::progress("stopping after this batch");
        }
    });
    let done = engine.run(approved, &control, &|p| Output::progress(&line(&p))).await;
    listener.abort();
    Output::end_progress();
    finish(&done, out)
}

fn line(p: &Progress) -> String {
    let mut out = format!("{}: {} of {} {}", p.phase.word(), p.done, p.total, p.unit.for_count(p.total));
    if p.drifted > 0 {
        let _ = write!(out, ", {} drifted", p.drifted);
    }
    if p.phase == Phase::Working && p.rate > 0.0 {
        let _ = write!(out, ", {:.0}/s", p.rate);
        if let Some(eta) = p.eta_s {
            let _ = write!(out, ", {eta} s left");
        }
    }
    if let Some(why) = &p.waiting {
        let _ = write!(out, " · {why}");
    }
    out
}

fn finish(done: &Done, out: &Output) -> Result<u8> {
    out.answer(&Answer::Done(done))?;
    if let Some(failure) = &done.failure {
        out.failure(failure);
    }
    Ok(done.exit_code())
}
