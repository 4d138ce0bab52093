//! Runs an approved plan: lock, compare with the world, intent, steps, proof, outcome. It runs the plan's steps and
//! nothing else.

use crate::engine::run::limits::LOOK_AGAIN;
use std::time::Duration;

use serde_json::json;

use crate::engine::Engine;
use crate::engine::gate::guard::Approved;
use crate::engine::model::cause::Cause;
use crate::engine::model::change::RowChange;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::event::Event;
use crate::engine::model::plan::{Plan, Unit};
use crate::engine::model::progress::{Control, Done, Phase, Progress, Watcher, Wish};
use crate::engine::model::record::Outcome;
use crate::engine::model::step::{Action, Step};
use crate::engine::model::task::tries;
use crate::engine::model::window::Window;
use crate::engine::port::writer::{Batch, Begun, Ending, Terms, Writer};
use crate::engine::run::start::{intent, mirror, same_server, still_true};
use crate::engine::run::throttle::{Pace, Verdict};
use crate::engine::run::unstarted;
use crate::engine::run::verify::Fate;

/// How often the server's other work is looked at between batches.
pub(in crate::engine) const PRESSURE_EVERY_MS: i64 = 200;

/// One run under way.
pub(in crate::engine) struct Run<'a> {
    pub(in crate::engine) engine: &'a Engine,
    pub(in crate::engine) plan: &'a Plan,
    pub(in crate::engine) control: &'a Control,
    pub(in crate::engine) watcher: Watcher<'a>,
    pub(in crate::engine) writer: Box<dyn Writer>,
    pub(in crate::engine) begun: Begun,
    pub(in crate::engine) progress: Progress,
    /// When the last batches ended and how many rows they had, for the rate.
    pub(in crate::engine) marks: Vec<(i64, u64)>,
    /// Both sides were equal, and in which snapshot.
    pub(in crate::engine) proved: Option<crate::engine::run::swap::Proved>,
    /// A command was run.
    pub(in crate::engine) hooked: bool,
    /// Whose transaction the switch waits for, by process and the beginning of its session: each is journaled once.
    pub(in crate::engine) waits_for: Option<(i64, String)>,
    /// What is told at the end besides.
    pub(in crate::engine) said: Vec<String>,
}

/// Why the steps ended before their end.
pub(in crate::engine) struct Stopped {
    pub(in crate::engine) failure: Error,
    /// Known to be the end: nothing is in doubt.
    pub(in crate::engine) known: bool,
    /// Going on with the rest would be right.
    pub(in crate::engine) resumable: bool,
}

impl Stopped {
    pub(in crate::engine) fn known(failure: Error) -> Self {
        Self { failure, known: true, resumable: true }
    }
}

/// Does what was approved.
pub(in crate::engine) async fn run(
    engine: &Engine,
    approved: Approved,
    control: &Control,
    watcher: Watcher<'_>,
) -> Done {
    let mut progress = Progress::new(approved.plan().rows, approved.plan().unit);
    progress.phase = Phase::Locking;
    watcher(progress.clone());
    let refused = |failure: Error| Done::refused(failure);
    if let Err(e) = same_server(engine, approved.plan()).await {
        return refused(e);
    }
    // Whoever waits behind a step that prepares a switch waits no longer than behind the switch itself.
    let swap = approved.plan().steps.iter().find_map(|s| match &s.action {
        Action::Swap(swap) => Some(swap.lock_timeout_ms),
        _ => None,
    });
    let policy = engine.guard.policy.lock_timeout_ms;
    let terms = Terms {
        operator: engine.operator.clone(),
        lock_timeout_ms: swap.map_or(policy, |ms| ms.min(policy)),
        statement_timeout_ms: engine.guard.policy.statement_timeout_ms,
        search_path: engine.profile.search_path.clone(),
    };
    let mut writer = match engine.means.writers.open(&approved, &terms).await {
        Ok(writer) => writer,
        Err(e) => return refused(e),
    };
    let begun = if let Some(run) = approved.resumes() {
        match writer.take_over(run).await {
            Ok((begun, event)) => {
                mirror(engine, &approved.plan().identity, &event);
                begun
            }
            Err(e) => {
                writer.close().await;
                return refused(e);
            }
        }
    } else {
        progress.phase = Phase::Checking;
        watcher(progress.clone());
        match still_true(engine, &approved).await {
            Err(done) => {
                writer.close().await;
                return *done;
            }
            Ok(()) => match intent(engine, &mut *writer, &approved, &mut progress, watcher).await {
                Ok(begun) => begun,
                Err(e) => {
                    writer.abandon().await;
                    writer.close().await;
                    return unstarted::done(engine, approved.plan(), e).await;
                }
            },
        }
    };
    progress.stages = approved.plan().steps.iter().map(|s| s.id.clone()).collect();
    let run = Run {
        engine,
        plan: approved.plan(),
        control,
        watcher,
        writer,
        begun,
        progress,
        marks: vec![],
        proved: None,
        hooked: false,
        waits_for: None,
        said: vec![],
    };
    run.finish().await
}

impl Run<'_> {
    pub(in crate::engine) fn tell(&mut self, phase: Phase) {
        self.progress.phase = phase;
        self.progress.run = Some(self.begun.run.clone());
        self.progress.applied = self.begun.applied;
        self.progress.drifted = self.begun.drifted;
        self.progress.done = self.begun.applied + self.begun.drifted;
        (self.watcher)(self.progress.clone());
    }

    pub(in crate::engine) fn mirror(&self, event: &Event) {
        mirror(self.engine, &self.plan.identity, event);
    }

    pub(in crate::engine) async fn finish(mut self) -> Done {
        let stopped = self.steps().await.err();
        let mut done = match stopped {
            None => self.prove().await,
            Some(stopped) => self.stopped(stopped),
        };
        done.run = Some(self.begun.run.clone());
        done.said = std::mem::take(&mut self.said);
        self.in_vain(&mut done).await;
        self.notes().await;
        if done.outcome != Outcome::Ambiguous {
            let message = done.failure.as_ref().map(|f| f.message.clone());
            let code = done.failure.as_ref().and_then(|f| f.code.as_deref());
            let ending = Ending {
                // The journal tells runs: what was stale before its first batch is a run that did nothing.
                outcome: if done.outcome == Outcome::Stale { Outcome::Failed } else { done.outcome },
                resumable: done.resumable,
                verified: done.verified,
                message,
                body: json!({ "applied": done.applied, "drifted": done.drifted, "proof": done.proof, "code": code }),
            };
            match self.end(&ending).await {
                Ok(event) => self.mirror(&event),
                Err(e) => {
                    tracing::warn!("{e}");
                    // The work is known, its record is not complete: the run still looks unfinished to others.
                    done.failure.get_or_insert_with(|| {
                        e.context("all was done, but the outcome could not be written into the journal")
                            .hint("midwatch resume writes it")
                    });
                    done.resumable = true;
                    if done.outcome == Outcome::Applied {
                        done.outcome = Outcome::Partial;
                    }
                }
            }
        }
        self.tell(Phase::Done);
        self.writer.close().await;
        done
    }

    pub(in crate::engine) async fn end(&mut self, ending: &Ending) -> Result<Event> {
        match self.writer.end(&self.begun, ending).await {
            // Our session is gone: the run is still ours if nobody took it over.
            Err(e) if e.cause == Cause::ConnectionLost => {
                self.regain().await?;
                self.writer.end(&self.begun, ending).await
            }
            other => other,
        }
    }

    pub(in crate::engine) async fn steps(&mut self) -> Result<(), Stopped> {
        while let Some(step) = self.plan.steps.get(self.begun.step) {
            self.progress.step.clone_from(&step.title);
            self.progress.stage.clone_from(&step.id);
            if !matches!(step.action, Action::Rows(_)) {
                self.within_window().await?;
            }
            match &step.action {
                Action::Bootstrap => {}
                Action::Statements => self.statements(step).await?,
                Action::Rows(change) => self.rows(change).await?,
                Action::Measure(measure) => self.measure(measure).await?,
                Action::Dump(dump) => self.dump(dump).await?,
                Action::Hook(hook) => self.hook(hook).await?,
                Action::Prove { proofs } => self.compare_all(proofs).await?,
                Action::Swap(swap) => self.swap(step, swap).await?,
                Action::Monitor(monitor) => self.monitor(monitor).await?,
                Action::Rehearse(play) => self.rehearse(play).await?,
            }
            let next = self.begun.step + 1;
            if let Err(e) = self.writer.next_step(&self.begun, next).await {
                return Err(self.recovered(e).await);
            }
            self.begun.step = next;
            self.begun.checkpoint = 0;
        }
        Ok(())
    }

    /// What waits for a lock lets go soon and comes again, so that nobody queues up behind it for long.
    pub(in crate::engine) async fn statements(&mut self, step: &Step) -> Result<(), Stopped> {
        let counted = self.plan.unit == Unit::Statements;
        let attempts = if step.in_transaction { self.engine.guard.policy.lock_attempts } else { 1 };
        let mut attempt = 0;
        loop {
            self.wishes().await?;
            self.tell(Phase::Working);
            match self.writer.statements(&self.begun, step, counted).await {
                Ok(c) => {
                    attempt = 0;
                    self.progress.waiting = None;
                    self.progress.room.blockers.clear();
                    self.begun.applied += c.applied;
                    self.begun.checkpoint = c.checkpoint;
                    c.event.iter().for_each(|e| self.mirror(e));
                    if c.end {
                        return Ok(());
                    }
                }
                Err(e) if e.cause == Cause::Busy => {
                    attempt += 1;
                    let by = self.kept_from(step, (attempt, attempts), &e).await;
                    if attempt >= attempts {
                        let message = format!("{} in {}{by}", e.message, tries(attempt));
                        return Err(self.recovered(Error { message, ..e }).await);
                    }
                    let why = format!("attempt {attempt} of {attempts}: {}{by}", e.message);
                    self.held_back(attempt, why, 0).await;
                }
                Err(e) => return Err(self.recovered(e).await),
            }
        }
    }

    /// Batch after batch, as fast as the server's other users allow.
    pub(in crate::engine) async fn rows(&mut self, change: &RowChange) -> Result<(), Stopped> {
        let policy = self.engine.guard.policy.clone();
        let mut pace = Pace::new(&policy, change.canary.as_ref().map(|c| c.rows));
        let (mut attempts, mut looked, mut fates) = (0, 0_i64, Fate::default());
        if let Some(canary) = &change.canary {
            // Whoever sent these out may not have seen what became of them: they are judged as they would have been.
            for batch in 1..=self.begun.batch {
                fates = self.watch_canary(canary, batch, fates).await?;
            }
        }
        loop {
            self.wishes().await?;
            let now = self.millis();
            if now - looked >= PRESSURE_EVERY_MS {
                looked = now;
                if !self.may_go_on(&mut pace).await? {
                    continue;
                }
            }
            self.progress.batch_rows = pace.rows();
            self.tell(Phase::Working);
            self.still_locked().await?;
            let began = self.millis();
            let message = self.progress.waiting.as_deref().filter(|_| attempts == 0);
            let number = self.begun.batch + 1;
            let first = self.begun.batch == 0;
            let batch = Batch {
                begun: &self.begun,
                change,
                rows: pace.rows(),
                number,
                began,
                refuse_drift: first,
                message,
            };
            match self.writer.batch(&batch).await {
                Ok(c) if c.end => return Ok(()),
                Ok(c) => {
                    attempts = 0;
                    let took = u64::try_from(self.millis() - began).unwrap_or(0);
                    self.begun.checkpoint = c.checkpoint;
                    self.begun.batch += 1;
                    self.begun.applied += c.applied;
                    self.begun.drifted += c.drifted;
                    c.event.iter().for_each(|e| self.mirror(e));
                    self.progress.waiting = None;
                    pace.took(took, &policy);
                    self.rate();
                    if let Some(canary) = &change.canary {
                        fates = self.watch_canary(canary, self.begun.batch, fates).await?;
                    }
                }
                Err(e) if e.cause == Cause::Busy && attempts + 1 < policy.lock_attempts => {
                    attempts += 1;
                    pace.shrink();
                    let why = format!("attempt {attempts} of {}: {}", policy.lock_attempts, e.message);
                    self.held_back(attempts, why, pace.rows()).await;
                }
                Err(e) if e.cause == Cause::Busy => {
                    let message = format!("{} in {}", e.message, tries(attempts + 1));
                    return Err(self.recovered(Error { message, ..e }).await);
                }
                Err(e) => return Err(self.recovered(e).await),
            }
        }
    }

    /// Holds while the operator wants it, ends when they do.
    pub(in crate::engine) async fn wishes(&mut self) -> Result<(), Stopped> {
        let mut said = false;
        loop {
            self.notes().await;
            self.endings().await?;
            match self.control.wish() {
                Wish::Go => {
                    if said {
                        let _ = self.writer.say(&self.begun, None, self.progress.batch_rows).await;
                    }
                    return Ok(());
                }
                Wish::Cancel => {
                    let message = format!("stopped by {} {}", self.control.stopped_by(), self.whereabouts());
                    let failure = Error::new(Class::Cancelled, message)
                        .hint(format!("midwatch resume {} goes on with the rest", self.begun.run));
                    return Err(Stopped::known(failure));
                }
                Wish::Pause => {
                    if !std::mem::replace(&mut said, true) {
                        let why = Some("paused by the operator");
                        self.writer
                            .say(&self.begun, why, self.progress.batch_rows)
                            .await
                            .map_err(Stopped::known)?;
                        self.tell(Phase::Paused);
                    }
                    (self.engine.means.sleep)(LOOK_AGAIN).await;
                    self.still_locked().await?;
                }
            }
        }
    }

    /// Between which two commits it is.
    pub(in crate::engine) fn whereabouts(&self) -> String {
        let rows = |s: &Step| matches!(s.action, Action::Rows(_));
        match self.plan.steps.get(self.begun.step) {
            Some(step) if rows(step) && self.begun.batch > 0 => "after a batch".to_owned(),
            Some(step) if rows(step) => "before its first batch".to_owned(),
            Some(step) => format!("before {}", step.id),
            None => "after its last step".to_owned(),
        }
    }

    /// What the operator wants remembered of this run. Not worth stopping for, but said where it is lost.
    pub(in crate::engine) async fn notes(&mut self) {
        for text in self.control.notes() {
            let body = json!({ "by": self.engine.operator.to_string(), "text": text });
            self.jot("note", &body).await;
        }
    }

    /// Nobody else may come in while this run waits.
    pub(in crate::engine) async fn still_locked(&mut self) -> Result<(), Stopped> {
        self.writer.holds_lock().await.map_err(Stopped::known)
    }

    /// Looks at the window and at the server's other work; false: not now.
    pub(in crate::engine) async fn may_go_on(&mut self, pace: &mut Pace) -> Result<bool, Stopped> {
        let policy = &self.engine.guard.policy;
        let verdict = match (self.engine.window_now().await, self.engine.facts.pressure().await) {
            (Ok(Window::Closed(_)), _) => return Err(Stopped::known(self.closed())),
            (Ok(_), Ok(pressure)) => pace.judge(&pressure, policy),
            (Ok(_), Err(e)) => Verdict::Hold(format!("the server's load cannot be read: {}", e.message)),
            (Err(e), _) => Verdict::Hold(format!("the server's time cannot be read: {}", e.message)),
        };
        match verdict {
            Verdict::Go => {
                self.progress.waiting = None;
                Ok(true)
            }
            Verdict::Smaller(why) => {
                self.progress.waiting = Some(format!("smaller batches: {why}"));
                Ok(true)
            }
            Verdict::Hold(why) => {
                if self.progress.waiting.as_deref() != Some(&why) {
                    let said = self.writer.say(&self.begun, Some(&why), pace.rows()).await;
                    // A held run notices as well that its sessions are gone.
                    if let Err(e) = said {
                        return Err(self.recovered(e).await);
                    }
                }
                self.progress.waiting = Some(why);
                self.progress.batch_rows = pace.rows();
                self.tell(Phase::Waiting);
                (self.engine.means.sleep)(LOOK_AGAIN).await;
                self.still_locked().await?;
                Ok(false)
            }
        }
    }

    /// Nothing begins outside the window. What is switched is followed through: its command and the look on it change
    /// no table, and an application would be left waiting for them.
    pub(in crate::engine) async fn within_window(&mut self) -> Result<(), Stopped> {
        if self.plan.unit == Unit::Twins && self.begun.applied > 0 {
            return Ok(());
        }
        match self.engine.window_now().await {
            Ok(Window::Closed(_)) => Err(Stopped::known(self.closed())),
            Ok(_) => Ok(()),
            Err(e) => Err(self.recovered(e).await),
        }
    }

    /// The window that was open when the run began is not any more.
    pub(in crate::engine) fn closed(&self) -> Error {
        let end = self.engine.window.map_or(0, |(_, end)| end);
        let message = format!("the maintenance window closed at {:02}:{:02}Z", end / 60, end % 60);
        Error::new(Class::Refused, message)
            .hint(format!("midwatch resume {} goes on with the rest when it is open again", self.begun.run))
    }

    pub(in crate::engine) fn millis(&self) -> i64 {
        (self.engine.clock)().timestamp_millis()
    }

    /// Rows a second over the last batches, and what is left at that rate.
    pub(in crate::engine) fn rate(&mut self) {
        let done = self.begun.applied + self.begun.drifted;
        self.marks.push((self.millis(), done));
        if self.marks.len() > 20 {
            self.marks.remove(0);
        }
        let (Some(first), Some(last)) = (self.marks.first(), self.marks.last()) else { return };
        let ms = last.0 - first.0;
        if ms <= 0 {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = (last.1 - first.1) as f64 * 1_000.0 / ms as f64;
        self.progress.rate = rate;
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "seconds for people"
        )]
        let eta = (self.plan.rows.saturating_sub(done) as f64 / rate.max(0.001)).ceil() as u64;
        self.progress.eta_s = (rate > 0.0).then_some(eta);
    }
}

/// Longer each time, never twice the same.
pub(in crate::engine) fn back_off(attempt: u32, seed: i64) -> Duration {
    let base = 50_u64.saturating_mul(1 << attempt.min(6));
    let jitter = u64::try_from(seed.rem_euclid(97)).unwrap_or(0);
    Duration::from_millis(base + jitter)
}
