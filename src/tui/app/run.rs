//! Our run: one at a time, never replaced, never ended by moving about.

use crate::engine::model::error::{Class, Error};
use crate::engine::model::plan::Unit;
use crate::engine::model::progress::{ControlRequest, Done, Progress};
use crate::engine::model::record::Outcome;
use crate::tui::app::App;
use crate::tui::data::{ReviewedPlan, RunDetail};
use crate::tui::failure::Failure;
use crate::tui::model::overlay::{Kind, Overlay};
use crate::tui::model::plan::PlanView;
use crate::tui::model::run::{OurRun, RunView, title_of};
use crate::tui::model::view::{Level, View};
use crate::tui::msg::{Effect, Slot};
use chrono::{DateTime, Utc};

impl App {
    /// The plan on top gives way to its run.
    pub(super) fn begin_run(&mut self, now: DateTime<Utc>) {
        let Some(view) = self.plan_here_mut() else { return };
        view.confirm = None;
        let mut plan = view.plan().cloned();
        if let Some(plan) = &mut plan {
            plan.diff.clear();
        }
        let (slot, title, resumes) = (view.slot, view.title.clone(), view.resumes.clone());
        let request = resumes.is_none().then(|| view.request.clone());
        self.model.run = Some(OurRun { plan, request, resumes, ..OurRun::new(slot, title, now) });
        self.replace(View::Run(Box::new(RunView::new(slot, None, false))));
    }

    /// Goes on with an unfinished run, asked for by its number.
    pub(super) fn begin_resume(&mut self, id: &str) -> Vec<Effect> {
        let slot = self.slot();
        let name = self.model.journal.run(id).map_or_else(|| format!("run {id}"), title_of);
        let run = Some(id.to_owned());
        self.model.run = Some(OurRun { resumes: run.clone(), ..OurRun::new(slot, name, self.model.now) });
        let view = View::Run(Box::new(RunView::new(slot, run, false)));
        if self.model.run_here().is_some_and(|v| v.run.as_deref() == Some(id)) {
            self.replace(view);
        } else {
            self.push(view);
        }
        vec![Effect::Resume(id.to_owned())]
    }

    pub(super) fn progress(&mut self, progress: Progress) {
        if let Some(run) = self.model.run.as_mut().filter(|r| r.done.is_none()) {
            run.progress = Some(progress);
        }
    }

    pub(super) fn run_done(&mut self, result: Result<Option<Box<Done>>, Box<Failure>>) -> Vec<Effect> {
        let Some(mut run) = self.model.run.take().filter(|r| r.done.is_none()) else { return vec![] };
        run.ended = Some(self.model.now);
        let leave = run.leave;
        let mut effects = match result {
            Ok(Some(done)) => self.run_ended(run, *done),
            Ok(None) => {
                self.say(format!("nothing is left to do of {}", run.title));
                self.back_to(run.slot)
            }
            Err(failure) => {
                let hint = failure.hint.map(|h| format!(": {h}")).unwrap_or_default();
                self.complain(format!("not begun, nothing was changed: {}{hint}", failure.message));
                self.back_to(run.slot)
            }
        };
        if leave {
            effects.push(Effect::Quit);
        }
        effects
    }

    /// The run gives way to its plan, which waits for the phrase.
    pub(super) fn asks_for_phrase(&mut self, reviewed: Box<ReviewedPlan>, why: &str) -> Vec<Effect> {
        let plan = reviewed.plan.id.clone();
        let Some(run) = self.model.run.take().filter(|r| r.done.is_none()) else {
            return vec![Effect::Discard(plan)];
        };
        let leave = run.leave;
        self.complain(format!("nothing was done yet: {why}"));
        let view = PlanView::of_run(run, reviewed, self.model.now);
        let slot = view.slot;
        self.model.plans.insert(slot, view);
        let mut effects = self.back_to(slot);
        if leave {
            effects.push(Effect::Quit);
        }
        effects
    }

    fn run_ended(&mut self, run: OurRun, done: Done) -> Vec<Effect> {
        let text = match done.outcome {
            Outcome::Applied if done.had_nothing_to_do() => "there was nothing to do",
            Outcome::Applied => "applied and proved",
            Outcome::Partial => "part of it was done",
            Outcome::Failed => "failed, nothing was changed",
            Outcome::Ambiguous => "nobody can tell whether all of it was done",
            Outcome::Refused => "refused, nothing was changed",
            Outcome::Stale => "the world has moved: refused, nothing was changed",
            Outcome::Running => "it still goes on elsewhere",
        };
        let text = format!("{}: {text}", run.title);
        if done.outcome == Outcome::Applied {
            self.say(text);
        } else {
            self.complain(text);
        }
        let mends = self.model.mended_by(&run);
        let (slot, number) = (run.slot, done.run.clone());
        self.model.run = Some(OurRun { done: Some(done), ..run });
        self.model.journal.due = self.model.now;
        let mut effects = self.refresh(&mends);
        for level in self.model.stacks.iter_mut().flatten() {
            if let View::Run(view) = &mut level.view
                && view.slot == slot
                && let Some(number) = &number
            {
                view.run = Some(number.clone());
                view.loading = true;
                effects.push(Effect::RunDetail { slot, run: number.clone() });
            }
        }
        effects.extend(self.poll_runs());
        effects
    }

    /// The task of our run has died: the journal knows how far it came, this console does not.
    pub(super) fn run_lost(&mut self, failure: Failure) -> Vec<Effect> {
        let Some(run) = self.model.run_going() else { return vec![] };
        let why = Error::new(Class::Failed, failure.message)
            .hint("the journal (r) says how far it came; what it left unfinished can be gone on with (a)")
            .durable()
            .ambiguous();
        let done = Done {
            run: run.number().map(str::to_owned),
            outcome: Outcome::Ambiguous,
            unit: run.plan.as_ref().map_or(Unit::ROWS, |p| p.unit.clone()),
            applied: run.applied(),
            drifted: run.progress.as_ref().map_or(0, |p| p.drifted),
            verified: None,
            proof: vec![],
            said: vec![],
            copy: vec![],
            failure: Some(why),
            moved: None,
            resumable: false,
        };
        self.run_done(Ok(Some(Box::new(done))))
    }

    /// It was not begun: the plan stands where it was.
    fn back_to(&mut self, slot: Slot) -> Vec<Effect> {
        let planned = self.model.plans.contains_key(&slot);
        for stack in &mut self.model.stacks {
            let its = |l: &Level| matches!(&l.view, View::Run(v) if v.slot == slot);
            if !planned {
                if let Some(at) = stack.iter().position(its) {
                    stack.remove(at);
                }
            } else if let Some(level) = stack.iter_mut().find(|l| its(l)) {
                *level = Level::new(View::Plan(slot));
            }
        }
        vec![]
    }

    /// Opens a run of the journal.
    pub(super) fn open_run(&mut self, id: String) -> Vec<Effect> {
        let ours = self
            .model
            .run
            .as_ref()
            .filter(|r| id.is_empty() || r.number() == Some(id.as_str()))
            .map(|r| r.slot);
        let slot = ours.unwrap_or_else(|| self.slot());
        let run = Some(id).filter(|id| !id.is_empty());
        let effect = run.clone().map(|run| Effect::RunDetail { slot, run });
        self.push(View::Run(Box::new(RunView::new(slot, run, effect.is_some()))));
        effect.into_iter().collect()
    }

    /// Reads the run shown again.
    pub(super) fn reread_run(&mut self) -> Vec<Effect> {
        let going = self.model.run_here().and_then(|v| self.model.ours(v)?.number().map(str::to_owned));
        let Some(level) = self.level_mut() else { return vec![] };
        let View::Run(view) = &mut level.view else { return vec![] };
        let Some(run) = view.run.clone().or(going).filter(|_| !view.loading) else { return vec![] };
        view.loading = true;
        vec![Effect::RunDetail { slot: view.slot, run }]
    }

    pub(super) fn run_detail(&mut self, slot: Slot, result: Result<Box<RunDetail>, Box<Failure>>) {
        let result = result.map(|d| *d).map_err(|f| *f);
        for level in self.model.stacks.iter_mut().flatten() {
            if let View::Run(view) = &mut level.view
                && view.slot == slot
            {
                view.loading = false;
                // A failure does not wipe out what was read before.
                if result.is_ok() || view.detail.as_ref().is_none_or(Result::is_err) {
                    view.detail = Some(result.clone());
                }
            }
        }
    }

    /// Holds our run after its batch, or lets it go on.
    pub(super) fn hold(&mut self) -> Vec<Effect> {
        let Some(run) = self.model.run.as_mut().filter(|r| r.done.is_none()) else { return vec![] };
        run.wish = if run.wish == ControlRequest::Pause { ControlRequest::Go } else { ControlRequest::Pause };
        let wish = run.wish;
        let switch = run.is_switch() && !run.has_swapped();
        self.say(match (wish, switch) {
            (ControlRequest::Pause, true) => "postponed: nothing is tried until p lets it go on",
            (ControlRequest::Pause, false) => "pausing after this batch; p goes on",
            _ => "going on",
        });
        vec![Effect::Wish(wish)]
    }

    /// Stops our run after its batch.
    pub(super) fn stop_run(&mut self, leave: bool) -> Vec<Effect> {
        let Some(run) = self.model.run.as_mut().filter(|r| r.done.is_none()) else { return vec![] };
        run.wish = ControlRequest::Cancel;
        run.leave |= leave;
        let switch = run.is_switch();
        self.say(if switch {
            "aborting: what it is doing right now ends first"
        } else {
            "stopping after this batch"
        });
        vec![Effect::Wish(ControlRequest::Cancel)]
    }

    /// The process is told to end, or nobody sees the screen any more: a run of ours is stopped after its batch
    /// first, as if it were left by hand. Asked for a second time: at once.
    pub(super) fn told_to_end(&mut self, asked: Option<&'static str>) -> Vec<Effect> {
        let Some(run) = self.model.run.as_mut().filter(|r| r.done.is_none()) else {
            return vec![Effect::Quit];
        };
        let again = std::mem::replace(&mut run.told, true);
        if again {
            return if asked.is_some() { vec![Effect::Quit] } else { vec![] };
        }
        self.model.overlay = None;
        self.stop_run(true);
        self.say("told to end: stopping after this batch, then leaving; told once more: at once");
        vec![Effect::Stop(asked.unwrap_or("a hangup"))]
    }

    /// ctrl-c while our run goes on: the question first, then whether to leave.
    pub(super) fn ask_to_stop(&mut self) -> Vec<Effect> {
        let asked = self.model.overlay.as_ref().is_some_and(|o| o.kind == Kind::Stop);
        let stopping = self.model.run_going().is_some_and(|r| r.wish == ControlRequest::Cancel);
        let kind = if asked || stopping { Kind::Quit } else { Kind::Stop };
        self.model.overlay = Some(Overlay::new(kind));
        vec![]
    }

    /// `r` on a run: planned again where it was refused or stale, read again otherwise.
    pub(super) fn run_again(&mut self) -> Vec<Effect> {
        let Some(view) = self.model.run_here() else { return vec![] };
        let refused = |r: &&OurRun| {
            r.done.as_ref().is_some_and(|d| matches!(d.outcome, Outcome::Stale | Outcome::Refused))
        };
        match self.model.ours(view).filter(refused).and_then(|r| Some((r.request.clone()?, r.title.clone())))
        {
            Some((request, title)) => self.open_plan(request, title),
            None => self.reread_run(),
        }
    }
}
