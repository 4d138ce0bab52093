//! The JSON envelope (`schema_version` 1): a contract with other programs, see `assets/schema/envelope.json`.

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

use super::answer::{Answer, DoctorLine};
use super::renderer::Renderer;
use super::style::Style;
use crate::engine::model::clean;
use crate::engine::model::error::Error;
use crate::engine::model::json::put;
use crate::engine::model::plan::Plan;
use crate::engine::model::progress::Done;
use crate::engine::model::record::{JournalShown, Listed};
use crate::engine::model::report::Report;
use crate::engine::model::secret::without_passwords;
use crate::engine::model::target::TargetInfo;

/// The format.
pub struct Json;

impl Renderer for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn errors_are_data(&self) -> bool {
        true
    }

    fn render(&self, answer: &Answer<'_>, _style: Style) -> String {
        format!("{}\n", clean::json(&format!("{:#}", envelope(answer))))
    }
}

fn envelope(answer: &Answer<'_>) -> Value {
    match answer {
        Answer::Checks { target, reports } => checks(target, reports),
        Answer::Plan { plan: of, .. } => plan(of),
        Answer::Done(of) => run_result(of),
        Answer::Finished { id, was, message } => named(
            "run",
            json!({
                "id": id, "outcome": was.outcome, "message": message, "rows_applied": was.rows_applied,
                "rows_drifted": was.rows_drifted, "verified": was.verified,
            }),
        ),
        Answer::Foreign { plan: of, why } => {
            let mut out = plan(of);
            put(&mut out, "error", failure(why));
            out
        }
        Answer::Keys(keys) => named("keys", json!(keys)),
        Answer::Runs(listed) => runs(listed),
        Answer::Run(shown) => run(shown),
        Answer::Logs(files) => named("logs", json!(files)),
        Answer::Journal(verified) => named("journal", json!(verified)),
        Answer::Doctor(lines) => named("doctor", lines.iter().map(doctor_line).collect()),
        Answer::ConfigChecked(c) => {
            let mut config =
                json!({ "file": c.file, "targets": c.targets, "profiles": c.profiles, "status": "ok" });
            if let Some(functions) = &c.functions {
                put(&mut config, "functions", json!(functions));
            }
            named("config", config)
        }
        Answer::ConfigShown(config) => named("config", json!(config)),
        Answer::Trusted(lines) => named("config", json!({ "trusted": lines })),
        Answer::Error(e) => error(e),
    }
}

/// A line's message may be that of a failure.
fn doctor_line(line: &DoctorLine) -> Value {
    let mut out = json!(line);
    put(&mut out, "message", json!(without_passwords(&line.message)));
    if let Some(hint) = &line.hint {
        put(&mut out, "hint", json!(without_passwords(hint)));
    }
    out
}

/// Of the envelope.
pub const SCHEMA_VERSION: u32 = 1;

/// Checks and their target.
pub fn checks(target: &TargetInfo, reports: &[Report]) -> Value {
    json!({
        "schema_version": SCHEMA_VERSION,
        "midwatch": env!("CARGO_PKG_VERSION"),
        "target": target,
        "checks": reports.iter().map(check).collect::<Vec<_>>(),
    })
}

fn check(report: &Report) -> Value {
    let mut out = Map::new();
    out.insert("id".into(), json!(report.id.to_string()));
    out.insert("kind".into(), json!(report.id.kind));
    out.insert("status".into(), json!(report.status.word()));
    if let Some(why) = report.status.why() {
        out.insert("why".into(), json!(why));
    }
    if !report.unknown_parts.is_empty() {
        out.insert("unknown".into(), json!(report.unknown_parts));
    }
    out.insert("summary".into(), json!(report.one_line()));
    out.insert("observed_at".into(), json!(report.observed_at.to_rfc3339_opts(SecondsFormat::Millis, true)));
    out.insert("elapsed_ms".into(), json!(report.elapsed_ms));
    out.insert("facts".into(), report.facts.clone());
    out.insert("findings".into(), json!(report.findings));
    Value::Object(out)
}

/// A failure.
pub fn error(e: &Error) -> Value {
    json!({ "schema_version": SCHEMA_VERSION, "error": failure(e) })
}

fn failure(e: &Error) -> Value {
    json!({
        "class": e.class, "message": without_passwords(&e.message),
        "hint": e.hint.as_deref().map(without_passwords), "code": e.code,
        "durable": e.durable, "ambiguous": e.ambiguous,
    })
}

/// Any other answer, under its own name.
pub fn named(name: &str, value: Value) -> Value {
    let mut out = Map::new();
    out.insert("schema_version".into(), json!(SCHEMA_VERSION));
    out.insert("midwatch".into(), json!(env!("CARGO_PKG_VERSION")));
    out.insert(name.to_owned(), value);
    Value::Object(out)
}

/// A plan, as `plan --out` writes it and `apply` reads it.
pub fn plan(plan: &Plan) -> Value {
    named("plan", json!(plan))
}

/// Runs, newest first; `older` ones are on the pages that follow.
pub fn runs(listed: &Listed) -> Value {
    let mut out = named("runs", json!(listed.runs));
    put(&mut out, "total", json!(listed.total));
    put(&mut out, "older", json!(listed.older));
    out
}

/// One run with its entries; a list like any other, so that readers of `runs` can read it.
pub fn run(shown: &JournalShown) -> Value {
    let mut run = json!(shown.record);
    let events = shown.events.iter().map(|e| {
        let mut event = json!(e);
        // Its text is what is hashed; its content is what is read.
        put(&mut event, "content", serde_json::from_str(&e.body).unwrap_or(Value::Null));
        event
    });
    put(&mut run, "events", events.collect());
    put(&mut run, "drifted", json!(shown.drifted));
    named("runs", json!([run]))
}

/// What came of a run; a failure and what moved beside it.
pub fn run_result(done: &Done) -> Value {
    let mut run = json!({
        "id": done.run, "outcome": done.outcome, "rows_applied": done.applied, "rows_drifted": done.drifted,
        "verified": done.verified, "resumable": done.resumable,
        "proof": done.proof.iter().map(|(title, wrong)| json!({ "title": title, "wrong": wrong })).collect::<Vec<_>>(),
    });
    if !done.copy.is_empty() {
        put(&mut run, "copy", json!(done.copy));
    }
    if let Some(moved) = &done.moved {
        put(&mut run, "moved", json!(moved.rows));
        put(&mut run, "moved_total", json!(moved.total));
        put(&mut run, "moved_parts", json!(moved.parts));
    }
    let mut out = named("run", run);
    if let Some(e) = &done.failure {
        put(&mut out, "error", failure(e));
    }
    out
}
