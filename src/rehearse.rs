//! Plays a switchover through: a copy on a private server, an engine on it, writers beside it.
//!
//! Stands above the layers, like `compose`: it joins the sandbox with an engine of its own.

use crate::features::switchover::step_kind::StepKind;
use crate::features::switchover::verbs;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::engine::gate::guard::TypedPhrase;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::json::{field, put};
use crate::engine::model::param::Params;
use crate::engine::model::preflight::Preflight;
use crate::engine::model::progress::{Control, Done};
use crate::engine::model::target::Environment;
use crate::engine::plan::request::Request;
use crate::engine::port::copies::{CopyRequest, KeyedSample, Rows};
use crate::engine::port::reader::Fut;
use crate::engine::{Engine, journal};
use crate::features::switchover::task::{RehearsalPlan, RehearsalResult, RehearsalTwin, Rehearse};
use crate::profile::{Selected, TargetConfig};
use crate::sandbox::{LoadWriters, Private, SandboxCopies, Written, WrittenPair};

/// Opens an engine on a target; compose hands itself in.
pub type OpenEngine = fn(Selected) -> Fut<'static, Result<Engine>>;

/// Plays what is asked on copies of one target.
pub struct SwitchoverRehearsal {
    copies: SandboxCopies,
    selected: Selected,
    profile: String,
    connect: OpenEngine,
}

impl SwitchoverRehearsal {
    /// `profile`: as the target's own engine has it.
    pub fn new(copies: SandboxCopies, selected: Selected, profile: String, connect: OpenEngine) -> Self {
        Self { copies, selected, profile, connect }
    }
}

impl Rehearse for SwitchoverRehearsal {
    fn rehearse<'a>(&'a self, play: &'a RehearsalPlan) -> Fut<'a, Result<RehearsalResult>> {
        Box::pin(self.play(play))
    }
}

fn written(play: &RehearsalPlan) -> Vec<WrittenPair> {
    let pair = |t: &RehearsalTwin| {
        let RehearsalTwin { legacy, twin, key, time, columns, column } = t.clone();
        WrittenPair { legacy, twin, key, time, columns, column }
    };
    play.twins.iter().map(pair).collect()
}

impl SwitchoverRehearsal {
    async fn play(&self, play: &RehearsalPlan) -> Result<RehearsalResult> {
        let relations = play.twins.iter().flat_map(|t| [t.legacy.clone(), t.twin.clone()]).collect();
        let follow = play.twins.iter().map(|t| KeyedSample {
            relation: t.twin.clone(),
            like: t.legacy.clone(),
            key: t.key.iter().map(|(k, _)| k.clone()).collect(),
        });
        let rows = Rows::Sample(play.rows.unwrap_or(i64::MAX.unsigned_abs()));
        let wanted = CopyRequest { relations, rows, follow: follow.collect(), ..CopyRequest::default() };
        // Many rows do not belong in memory.
        let small = play.rows.is_some_and(|n| n <= 200_000);
        let copy = self.copies.private(&wanted, small).await?;
        copy.settle(&written(play)).await?;
        let engine = self.engine(&copy, &copy.scratch()).await?;
        apply(&engine, "init", None, BTreeMap::new()).await?;
        copy.open_schemas().await?;
        let mut out = RehearsalResult { copied: copy.copied(), ..RehearsalResult::default() };
        self.switch_and_roll_back(play, &engine, &copy, &mut out).await?;
        Ok(out)
    }

    async fn switch_and_roll_back(
        &self,
        play: &RehearsalPlan,
        engine: &Engine,
        copy: &Private,
        out: &mut RehearsalResult,
    ) -> Result<()> {
        let writers = LoadWriters::start(copy, &written(play), play.writers).await?;
        let pause = Duration::from_secs(play.seconds);
        tokio::time::sleep(pause).await;
        let switched = apply(engine, verbs::SWITCHOVER, Some(&play.name), play.params.clone()).await;
        let moments = match switched {
            Err(e) => {
                out.failures.push(e.message);
                None
            }
            Ok((preflight, done)) => {
                out.keep_preflight(&preflight);
                judge(verbs::SWITCHOVER, &done, out);
                let held = held(engine, &done, StepKind::Enable.id(), out).await;
                tokio::time::sleep(pause).await;
                if out.failures.is_empty() {
                    let params = BTreeMap::from([("monitor".to_owned(), "2s".to_owned())]);
                    match apply(engine, verbs::ROLLBACK, Some(&play.name), params).await {
                        Err(e) => out.failures.push(e.message),
                        Ok((_, back)) => {
                            judge(verbs::ROLLBACK, &back, out);
                            out.back_ms = held_ms(engine, &back, StepKind::SwapBack.id()).await;
                            tokio::time::sleep(pause).await;
                        }
                    }
                }
                held
            }
        };
        finish(writers.stop().await, moments, out);
        Ok(())
    }

    async fn engine(&self, copy: &Private, home: &std::path::Path) -> Result<Engine> {
        let config = TargetConfig {
            profile: Some(self.profile.clone()),
            environment: Some(Environment::Development),
            ..self.selected.config.clone()
        };
        // The copy has one role.
        let config = TargetConfig { reader: None, read_only: false, window: None, ..config };
        let selected = Selected {
            name: "rehearsal".into(),
            config,
            url: Some(copy.url()),
            state_dir: Some(home.to_owned()),
            ..self.selected.clone()
        };
        (self.connect)(selected).await
    }
}

fn judge(what: &str, done: &Done, out: &mut RehearsalResult) {
    if let Some(failure) = &done.failure {
        out.failures.push(format!("{what}: {}", failure.message));
    }
}

/// Plans, confirms with the plan's own phrase and applies, as an operator would.
async fn apply(
    engine: &Engine,
    verb: &str,
    name: Option<&str>,
    params: BTreeMap<String, String>,
) -> Result<(Vec<Preflight>, Done)> {
    let request =
        Request::Operation { verb: verb.to_owned(), name: name.map(str::to_owned), params: Params(params) };
    let planned = engine.plan(&request, &|_| ()).await?;
    let preflight = planned.plan.preflight.clone();
    let blocked: Vec<_> =
        preflight.iter().filter(|p| p.status.blocks()).map(|p| p.message.as_str()).collect();
    if !blocked.is_empty() {
        return Err(Error::new(Class::Refused, format!("{verb} would be refused: {}", blocked.join("; "))));
    }
    let phrase = planned.plan.phrase.clone();
    let at = engine.server_time().await?;
    let gate = engine.review(planned, true).await?;
    let typed = TypedPhrase { phrase: &phrase, database: Some(&engine.server().database), at };
    let approved = gate.confirm(&typed).map_err(|denied| denied.why)?;
    let done = engine.run(approved, &Control::default(), &|_| ()).await;
    Ok((preflight, done))
}

/// When the locks were held, by our clock, and what is noted of it.
async fn held(
    engine: &Engine,
    done: &Done,
    step: &str,
    out: &mut RehearsalResult,
) -> Option<(Instant, Duration)> {
    out.held_ms = held_ms(engine, done, step).await;
    out.steps = steps(engine, done).await;
    let body = entry(engine, done, ("step", "id", step)).await?;
    out.attempts = field(&body, "attempt").as_u64().unwrap_or(0);
    let released = entry(engine, done, ("released", "stage", step)).await;
    let ago = field(&released.unwrap_or(body), "ago_ms").as_f64()?;
    let ended = Instant::now().checked_sub(Duration::from_secs_f64(ago.max(0.0) / 1_000.0))?;
    let held = Duration::from_millis(out.held_ms);
    Some((ended.checked_sub(held)?, held))
}

/// How long each step's transactions took.
async fn steps(engine: &Engine, done: &Done) -> BTreeMap<String, u64> {
    let mut out = BTreeMap::new();
    let Some(run) = &done.run else { return out };
    for event in journal::runs::events(engine.facts(), run).await.unwrap_or_default() {
        let body: serde_json::Value = serde_json::from_str(&event.body).unwrap_or_default();
        let (id, ms) = (field(&body, "id").as_str(), field(&body, "held_ms").as_u64());
        if let ("step", Some(id), Some(ms)) = (&*event.kind, id, ms) {
            let longest: &mut u64 = out.entry(id.to_owned()).or_default();
            *longest = ms.max(*longest);
        }
    }
    out
}

async fn held_ms(engine: &Engine, done: &Done, step: &str) -> u64 {
    let held = |entry: Option<serde_json::Value>| field(&entry?, "held_ms").as_u64();
    match held(entry(engine, done, ("released", "stage", step)).await) {
        Some(ms) => ms,
        None => held(entry(engine, done, ("step", "id", step)).await).unwrap_or(0),
    }
}

async fn entry(
    engine: &Engine,
    done: &Done,
    (kind, named, step): (&str, &str, &str),
) -> Option<serde_json::Value> {
    let events = journal::runs::events(engine.facts(), done.run.as_deref()?).await.ok()?;
    let now = engine.server_time().await.ok()?;
    events.iter().find_map(|e| {
        let mut body: serde_json::Value = serde_json::from_str(&e.body).ok()?;
        if e.kind != kind || field(&body, named) != step {
            return None;
        }
        let at = chrono::DateTime::parse_from_rfc3339(&e.at.replace(' ', "T")).ok();
        let ago = at.map(|at| (now - at.with_timezone(&chrono::Utc)).num_milliseconds());
        put(&mut body, "ago_ms", serde_json::json!(ago));
        Some(body)
    })
}

/// What the writers met, and how long they waited when it was switched.
fn finish(written: Written, switch: Option<(Instant, Duration)>, out: &mut RehearsalResult) {
    let times = written.times;
    out.refused = written.refused;
    out.failures.extend(written.failures.into_iter().map(|f| format!("a writer failed: {f}")));
    out.writes = times.len() as u64;
    let ms = |d: &Duration| d.as_secs_f64() * 1_000.0;
    if let Some((from, held)) = switch {
        // Of a few milliseconds of doubt, more is taken.
        let (from, to) = (from.checked_sub(Duration::from_millis(100)).unwrap_or(from), from + held);
        let across = times.iter().filter(|(at, took)| *at <= to && *at + *took >= from);
        out.stall_ms = across.map(|(_, took)| ms(took)).fold(0.0, f64::max);
    }
    let mut all: Vec<f64> = times.iter().map(|(_, took)| ms(took)).collect();
    all.sort_by(f64::total_cmp);
    let at = |percent: usize| {
        all.get((all.len() * percent / 100).min(all.len().saturating_sub(1))).copied().unwrap_or(0.0)
    };
    out.latency_ms = (at(50), at(99), at(100));
}
