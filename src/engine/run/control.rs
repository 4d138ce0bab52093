//! What a run says and hears between two commits: progress, entries, the operator's requests, the window.

use chrono::Timelike as _;
use serde_json::{Value, json};

use crate::engine::model::cause::Cause;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::event::Event;
use crate::engine::model::progress::{ControlRequest, Phase};
use crate::engine::model::step::{Action, Step};
use crate::engine::model::window::Window;
use crate::engine::plan::planner;
use crate::engine::port::reader::Reader;
use crate::engine::port::runner::{RunCx, RunStop};
use crate::engine::run::limits::LOOK_AGAIN;

impl RunCx<'_> {
    pub(crate) fn publish(&mut self, phase: Phase) {
        self.progress.phase = phase;
        self.progress.run = Some(self.begun.run.clone());
        self.progress.applied = self.begun.applied;
        self.progress.drifted = self.begun.drifted;
        self.progress.done = self.begun.applied + self.begun.drifted;
        (self.watcher)(self.progress.clone());
    }

    pub(crate) fn copy_entry(&mut self, event: &Event) {
        let failed = self.copy.take(&*self.adapters.journal_copy, &self.plan.identity, event);
        self.uncopied = failed.or(self.uncopied.take());
    }

    /// The last entries are not in the copy: what the run has done so far stands, and it does no more.
    pub(crate) fn is_copied(&self) -> Result<(), RunStop> {
        match &self.uncopied {
            Some(why) if !self.policy.allow_without_copy => Err(RunStop::known(uncopied(why))),
            _ => Ok(()),
        }
    }

    /// An entry of the run, or the reason to stop: what is not written down has not happened.
    pub(crate) async fn record(&mut self, kind: &str, body: &Value) -> Result<(), RunStop> {
        match self.writer.note(&self.begun, kind, body).await {
            Ok(event) => {
                self.copy_entry(&event);
                Ok(())
            }
            Err(e) => Err(self.recovered(e).await),
        }
    }

    /// Sessions that the operator has asked by their phrase to be ended: said first, then done, then what came of it.
    pub(crate) async fn end_blockers(&mut self) -> Result<(), RunStop> {
        for session in self.control.sessions_to_end() {
            let b = session.blocker().clone();
            let body = json!({
                "by": self.operator.to_string(), "pid": b.pid, "role": b.role, "application": b.application,
                "session_since": b.since, "query_at": b.query_at, "query": b.query, "state": b.state, "wrote": b.wrote,
                "holds": b.table,
            });
            self.record("ended", &body).await?;
            let said = match self.writer.end_session(&self.begun, &session).await {
                Ok((ended, event)) => {
                    self.copy_entry(&event);
                    if ended { "was ended".to_owned() } else { "was gone already".into() }
                }
                Err(e) if e.cause == Cause::ConnectionLost => return Err(self.recovered(e).await),
                Err(e) => format!("was not ended: {}", e.message),
            };
            self.progress.locks.ended = Some(format!("pid {} {} {said}", b.pid, b.role));
        }
        Ok(())
    }

    /// An entry that the run goes on without.
    pub(crate) async fn try_note(&mut self, kind: &str, body: &Value) {
        match self.writer.note(&self.begun, kind, body).await {
            Ok(event) => self.copy_entry(&event),
            Err(e) => tracing::warn!("an entry ({kind} {body}) is not in the journal: {e}"),
        }
    }

    /// Holds while the operator wants it, ends when they do.
    pub(crate) async fn obey_control(&mut self) -> Result<(), RunStop> {
        let mut said = false;
        loop {
            self.notes().await;
            self.end_blockers().await?;
            self.is_copied()?;
            match self.control.wish() {
                ControlRequest::Go => {
                    if said {
                        let _ = self.writer.announce(&self.begun, None, self.progress.batch_rows).await;
                    }
                    return Ok(());
                }
                ControlRequest::Cancel => {
                    let message =
                        format!("stopped by {} {}", self.control.stopped_by(), self.position_text());
                    let failure = Error::new(Class::Cancelled, message)
                        .hint(format!("midwatch resume {} goes on with the rest", self.begun.run));
                    return Err(RunStop::naming_resume(failure));
                }
                ControlRequest::Pause => {
                    if !std::mem::replace(&mut said, true) {
                        let why = Some("paused by the operator");
                        self.writer
                            .announce(&self.begun, why, self.progress.batch_rows)
                            .await
                            .map_err(RunStop::known)?;
                        self.publish(Phase::Paused);
                    }
                    (self.adapters.sleep)(LOOK_AGAIN).await;
                    self.still_locked().await?;
                }
            }
        }
    }

    /// Between which two commits it is.
    pub(crate) fn position_text(&self) -> String {
        let rows = |s: &Step| matches!(s.action, Action::Rows(_));
        match self.plan.steps.get(self.begun.step) {
            Some(step) if rows(step) && self.begun.batch > 0 => "after a batch".to_owned(),
            Some(step) if rows(step) => "before its first batch".to_owned(),
            Some(step) => format!("before {}", step.id),
            None => "after its last step".to_owned(),
        }
    }

    /// What the operator wants remembered of this run. Not worth stopping for, but said where it is lost.
    pub(crate) async fn notes(&mut self) {
        for text in self.control.notes() {
            let body = json!({ "by": self.operator.to_string(), "text": text });
            self.try_note("note", &body).await;
        }
    }

    /// Nobody else may come in while this run waits.
    pub(crate) async fn still_locked(&mut self) -> Result<(), RunStop> {
        self.writer.holds_lock().await.map_err(RunStop::known)
    }

    /// Nothing begins outside the window, except the rest of a run whose plan says that it must not stop half-way.
    pub(crate) async fn within_window(&mut self) -> Result<(), RunStop> {
        if self.limits.continues_after_window && self.begun.applied > 0 {
            return Ok(());
        }
        match window_now(self.facts, self.window).await {
            Ok(Window::Closed(_)) => Err(self.closed()),
            Ok(_) => Ok(()),
            // What a reader meets says nothing of the run's own sessions: that of its lock is asked.
            Err(e) => match self.writer.holds_lock().await {
                Ok(()) => Err(RunStop::known(e)),
                Err(lost) => {
                    let message = format!("{}; and of the run's own lock: {}", e.message, lost.message);
                    Err(self.recovered(Error { message, ..lost }).await)
                }
            },
        }
    }

    /// The window that was open when the run began is not any more.
    pub(crate) fn closed(&self) -> RunStop {
        let end = self.window.map_or(0, |(_, end)| end);
        let message = format!("the maintenance window closed at {:02}:{:02}Z", end / 60, end % 60);
        let failure = Error::new(Class::Refused, message)
            .hint(format!("midwatch resume {} goes on with the rest when it is open again", self.begun.run));
        RunStop::naming_resume(failure)
    }

    pub(crate) fn millis(&self) -> i64 {
        (self.clock)().timestamp_millis()
    }
}

/// Why a run ends whose entries cannot be copied.
pub(crate) fn uncopied(why: &str) -> Error {
    Error::new(Class::Failed, format!("the journal's copy lacks the last entries: {why}"))
        .hint("make room there (or set allow_without_copy in [policy]); the next run adds what is missing")
}

/// Is maintenance allowed by the server's clock?
pub(crate) async fn window_now(facts: &dyn Reader, window: Option<(u32, u32)>) -> Result<Window> {
    if window.is_none() {
        return Ok(Window::Always);
    }
    let now = planner::server_time(facts).await?;
    Ok(Window::at(window, now.time().num_seconds_from_midnight() / 60))
}
