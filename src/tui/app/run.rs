//! Our run: one at a time, never replaced, never ended by moving about.

use chrono::{DateTime, Utc};

use super::overlay::Kind;
use super::{App, Overlay, View};
use crate::engine::model::error::{Class, Error};
use crate::engine::model::plan::{Plan, Unit};
use crate::engine::model::progress::{Done, Phase, Progress, Wish};
use crate::engine::model::record::{Outcome, RunRecord};
use crate::engine::model::report::CheckId;
use crate::engine::plan::request::Request;
use crate::tui::backend::RunDetail;
use crate::tui::keymap::Action;
use crate::tui::msg::{Effect, Failure, Slot};

/// The run that this console has begun, going on or over.
#[derive(Debug, Clone, PartialEq)]
pub struct OurRun {
    /// The view that shows it, and the plan it came from.
    pub slot: Slot,
    /// What it does, in a few words.
    pub title: String,
    /// What was approved; its rows are left out.
    pub plan: Option<Plan>,
    /// How it was asked for, to plan it again.
    pub request: Option<Request>,
    /// The run it goes on with.
    pub resumes: Option<String>,
    /// When it was begun.
    pub began: DateTime<Utc>,
    /// The latest moment.
    pub progress: Option<Progress>,
    /// What was asked of it.
    pub wish: Wish,
    /// Leave the console when it has ended.
    pub leave: bool,
    /// The process was told to end while it went on.
    pub told: bool,
    /// What came of it.
    pub done: Option<Done>,
    /// When it ended.
    pub ended: Option<DateTime<Utc>>,
}

impl OurRun {
    /// Its number, once it has one.
    pub fn number(&self) -> Option<&str> {
        let done = self.done.as_ref().and_then(|d| d.run.as_deref());
        done.or_else(|| self.progress.as_ref()?.run.as_deref()).or(self.resumes.as_deref())
    }

    /// Rows changed so far.
    pub fn applied(&self) -> u64 {
        match (&self.done, &self.progress) {
            (Some(done), _) => done.applied,
            (None, Some(p)) => p.applied,
            (None, None) => 0,
        }
    }

    /// Rows planned, as far as that is known.
    pub fn total(&self) -> u64 {
        let said = self.progress.as_ref().map_or(0, |p| p.total);
        if said > 0 { said } else { self.plan.as_ref().map_or(0, |p| p.rows) }
    }
}

/// A run on the screen.
#[derive(Debug, Clone, PartialEq)]
pub struct RunView {
    /// Answers to other slots are not ours.
    pub slot: Slot,
    /// Its number in the journal, once known.
    pub run: Option<String>,
    /// Everything about it, or why not, or not yet.
    pub detail: Option<Result<RunDetail, Failure>>,
    /// That is being read.
    pub loading: bool,
    /// Of a switch: its entries in the place of the room.
    pub log: bool,
}

impl RunView {
    fn of(slot: Slot, run: Option<String>, loading: bool) -> Self {
        Self { slot, run, detail: None, loading, log: false }
    }
}

impl App {
    /// Our run, while it is going on.
    pub fn run_going(&self) -> Option<&OurRun> {
        self.run.as_ref().filter(|r| r.done.is_none())
    }

    /// The run shown.
    pub fn run_here(&self) -> Option<&RunView> {
        match &self.level().view {
            View::Run(view) => Some(view),
            _ => None,
        }
    }

    /// Our run, where that is what a view shows.
    pub fn ours(&self, view: &RunView) -> Option<&OurRun> {
        let same =
            |r: &&OurRun| r.slot == view.slot || view.run.is_some() && r.number() == view.run.as_deref();
        self.run.as_ref().filter(same)
    }

    /// What the journal says of the run that a view shows; the list is newer than what was read on opening.
    pub fn record<'a>(&'a self, view: &'a RunView) -> Option<&'a RunRecord> {
        let read = view.detail.as_ref().and_then(|d| d.as_ref().ok()).map(|d| &d.record);
        view.run.as_deref().and_then(|id| self.journal.run(id)).or(read)
    }

    /// The plan on top gives way to its run.
    pub(super) fn begin_run(&mut self, now: DateTime<Utc>) {
        let Some(view) = self.plan_here_mut() else { return };
        view.confirm = None;
        let mut plan = view.plan().cloned();
        if let Some(plan) = &mut plan {
            plan.diff.clear();
        }
        let (slot, title, request) = (view.slot, view.title.clone(), Some(view.request.clone()));
        self.run = Some(OurRun { plan, request, ..OurRun::new(slot, title, now) });
        self.replace(View::Run(Box::new(RunView::of(slot, None, false))));
    }

    /// Goes on with an unfinished run, asked for by its number.
    pub(super) fn begin_resume(&mut self, id: &str) -> Vec<Effect> {
        let slot = self.slot();
        let name = self.journal.run(id).map_or_else(|| format!("run {id}"), title_of);
        let run = Some(id.to_owned());
        self.run = Some(OurRun { resumes: run.clone(), ..OurRun::new(slot, name, self.now) });
        let view = View::Run(Box::new(RunView::of(slot, run, false)));
        if self.run_here().is_some_and(|v| v.run.as_deref() == Some(id)) {
            self.replace(view);
        } else {
            self.push(view);
        }
        vec![Effect::Resume(id.to_owned())]
    }

    pub(super) fn progress(&mut self, progress: Progress) {
        if let Some(run) = self.run.as_mut().filter(|r| r.done.is_none()) {
            run.progress = Some(progress);
        }
    }

    pub(super) fn run_done(&mut self, result: Result<Option<Box<Done>>, Box<Failure>>) -> Vec<Effect> {
        let Some(mut run) = self.run.take().filter(|r| r.done.is_none()) else { return vec![] };
        run.ended = Some(self.now);
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
        let mends = self.mended_by(&run);
        let (slot, number) = (run.slot, done.run.clone());
        self.run = Some(OurRun { done: Some(done), ..run });
        self.journal.due = self.now;
        let mut effects = self.refresh(&mends);
        for level in self.stacks.iter_mut().flatten() {
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
        let Some(run) = self.run_going() else { return vec![] };
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
            failure: Some(why),
            moved: None,
            resumable: false,
        };
        self.run_done(Ok(Some(Box::new(done))))
    }

    /// What was looked at before is looked at again after a change.
    fn mended_by(&self, run: &OurRun) -> Vec<CheckId> {
        let undone = |id: &String| self.journal.run(id).map(|r| (r.operation.clone(), r.name.clone()));
        let named = run.plan.as_ref().and_then(|p| match &p.undoes {
            Some(id) => undone(id),
            None => Some((p.operation.clone(), p.name.clone())),
        });
        let (verb, name) = named.or_else(|| undone(run.resumes.as_ref()?)).unwrap_or_default();
        let offers = self.session.iter().flat_map(|s| &s.operations);
        offers.filter(|o| o.verb == verb && o.name == name).filter_map(|o| o.mends.clone()).collect()
    }

    /// It was not begun: the plan stands where it was.
    fn back_to(&mut self, slot: Slot) -> Vec<Effect> {
        let planned = self.plans.contains_key(&slot);
        for stack in &mut self.stacks {
            let at = stack.iter().position(|l| matches!(&l.view, View::Run(v) if v.slot == slot));
            if let Some(at) = at {
                if planned {
                    stack[at] = super::Level::of(View::Plan(slot));
                } else {
                    stack.remove(at);
                }
            }
        }
        vec![]
    }

    /// Opens a run of the journal.
    pub(super) fn open_run(&mut self, id: String) -> Vec<Effect> {
        let ours =
            self.run.as_ref().filter(|r| id.is_empty() || r.number() == Some(id.as_str())).map(|r| r.slot);
        let slot = ours.unwrap_or_else(|| self.slot());
        let run = Some(id).filter(|id| !id.is_empty());
        let effect = run.clone().map(|run| Effect::RunDetail { slot, run });
        self.push(View::Run(Box::new(RunView::of(slot, run, effect.is_some()))));
        effect.into_iter().collect()
    }

    /// Reads the run shown again.
    pub(super) fn reread_run(&mut self) -> Vec<Effect> {
        let going = self.run_here().and_then(|v| self.ours(v)?.number().map(str::to_owned));
        let Some(level) = self.level_mut() else { return vec![] };
        let View::Run(view) = &mut level.view else { return vec![] };
        let Some(run) = view.run.clone().or(going).filter(|_| !view.loading) else { return vec![] };
        view.loading = true;
        vec![Effect::RunDetail { slot: view.slot, run }]
    }

    pub(super) fn run_detail(&mut self, slot: Slot, result: Result<Box<RunDetail>, Box<Failure>>) {
        let result = result.map(|d| *d).map_err(|f| *f);
        for level in self.stacks.iter_mut().flatten() {
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
        let Some(run) = self.run.as_mut().filter(|r| r.done.is_none()) else { return vec![] };
        run.wish = if run.wish == Wish::Pause { Wish::Go } else { Wish::Pause };
        let wish = run.wish;
        let switch = run.is_switch() && !run.has_swapped();
        self.say(match (wish, switch) {
            (Wish::Pause, true) => "postponed: nothing is tried until p lets it go on",
            (Wish::Pause, false) => "pausing after this batch; p goes on",
            _ => "going on",
        });
        vec![Effect::Wish(wish)]
    }

    /// Only a run that holds the lock writes into the journal.
    pub(super) fn why_not_note(&self) -> Option<String> {
        let why = "a note goes into the journal of a run of ours while it goes on; none does";
        self.run_going().is_none().then(|| why.to_owned())
    }

    /// Stops our run after its batch.
    pub(super) fn stop_run(&mut self, leave: bool) -> Vec<Effect> {
        let Some(run) = self.run.as_mut().filter(|r| r.done.is_none()) else { return vec![] };
        run.wish = Wish::Cancel;
        run.leave |= leave;
        let switch = run.is_switch();
        self.say(if switch {
            "aborting: what it is doing right now ends first"
        } else {
            "stopping after this batch"
        });
        vec![Effect::Wish(Wish::Cancel)]
    }

    /// The process is told to end, or nobody sees the screen any more: a run of ours is stopped after its batch
    /// first, as if it were left by hand. Asked for a second time: at once.
    pub(super) fn told_to_end(&mut self, asked: Option<&'static str>) -> Vec<Effect> {
        let Some(run) = self.run.as_mut().filter(|r| r.done.is_none()) else { return vec![Effect::Quit] };
        let again = std::mem::replace(&mut run.told, true);
        if again {
            return if asked.is_some() { vec![Effect::Quit] } else { vec![] };
        }
        self.overlay = None;
        self.stop_run(true);
        self.say("told to end: stopping after this batch, then leaving; told once more: at once");
        vec![Effect::Stop(asked.unwrap_or("a hangup"))]
    }

    /// What stands of a run that was cut short by a signal: said once the screen is gone.
    pub fn farewell(&self) -> Option<Error> {
        let run = self.run.as_ref().filter(|r| r.told)?;
        let failure = if let Some(done) = &run.done {
            done.failure.clone()?
        } else {
            let number = run.number().unwrap_or("NUMBER");
            let message = format!("left at once while {} went on; {}", run.title, self.left_behind());
            let error = Error::new(Class::Cancelled, message).hint(format!(
                "the batch under way is rolled back unless it was committed already; midwatch resume {number} \
                 finds out and goes on"
            ));
            if run.applied() > 0 { error.durable() } else { error }
        };
        // As `midwatch apply` would say it: stopped is not "cannot look".
        Some(match failure.class {
            Class::Cancelled => Error { class: Class::Failed, ..failure },
            _ => failure,
        })
    }

    /// ctrl-c while our run goes on: the question first, then whether to leave.
    pub(super) fn ask_to_stop(&mut self) -> Vec<Effect> {
        let asked = self.overlay.as_ref().is_some_and(|o| o.kind == Kind::Stop);
        let stopping = self.run_going().is_some_and(|r| r.wish == Wish::Cancel);
        let kind = if asked || stopping { Kind::Quit } else { Kind::Stop };
        self.overlay = Some(Overlay::of(kind));
        vec![]
    }

    /// What our run has done and what not, if it is left or stopped now.
    pub fn left_behind(&self) -> String {
        let Some(run) = self.run_going() else { return String::new() };
        if run.is_switch() {
            return left_of_switch(run).into();
        }
        let (applied, total) = (run.applied(), run.total());
        let count = crate::tui::format::count;
        match &run.progress {
            Some(p)
                if !matches!(
                    p.phase,
                    Phase::Planning | Phase::Locking | Phase::Checking | Phase::Staging
                ) =>
            {
                format!(
                    "{} of {} {} are changed and stay changed; the rest is not touched.",
                    count(applied),
                    count(total),
                    run.plan.as_ref().map(|p| p.unit.clone()).unwrap_or_default().of(total)
                )
            }
            _ => "Nothing has been changed yet.".into(),
        }
    }

    /// Why an action cannot be done on the run shown.
    pub(super) fn why_not_on_run(&self, view: &RunView, action: Action) -> Option<String> {
        let going = self.ours(view).filter(|r| r.done.is_none());
        if super::room::is_of_switch(action) && self.is_switch(view) {
            return self.why_not_on_switch(action);
        }
        match action {
            Action::Hold => match (going, self.record(view)) {
                (Some(run), _) if run.wish == Wish::Cancel => Some("it is being stopped".into()),
                (Some(_), _) => None,
                (None, Some(r)) if r.live => {
                    Some(format!("it is run by {}: only there it can be held", r.by()))
                }
                (None, _) => Some("it is not going on".into()),
            },
            Action::Undo => self.why_not_undo(self.record(view)),
            Action::Sql => self.run_plan(view).is_none().then(|| "its plan is not read".into()),
            Action::Replan => going.map(|_| "it is going on".into()),
            Action::Cancel if going.is_none() => Some("it is not going on".into()),
            Action::Export | Action::Copy => Some("midwatch runs NUMBER --json writes a run down".into()),
            Action::Open => Some("there is nothing below".into()),
            Action::Mark
            | Action::MarkAll
            | Action::Range
            | Action::Sort
            | Action::Filter
            | Action::Next
            | Action::Previous
            | Action::DryRun => Some("not on a run".into()),
            _ => None,
        }
    }

    /// The plan of the run shown.
    pub fn run_plan<'a>(&'a self, view: &'a RunView) -> Option<&'a Plan> {
        let ours = self.ours(view).and_then(|r| r.plan.as_ref());
        ours.or_else(|| view.detail.as_ref()?.as_ref().ok()?.plan.as_ref())
    }

    /// `r` on a run: planned again where it was refused or stale, read again otherwise.
    pub(super) fn run_again(&mut self) -> Vec<Effect> {
        let Some(view) = self.run_here() else { return vec![] };
        let refused = |r: &&OurRun| {
            r.done.as_ref().is_some_and(|d| matches!(d.outcome, Outcome::Stale | Outcome::Refused))
        };
        match self.ours(view).filter(refused).and_then(|r| Some((r.request.clone()?, r.title.clone()))) {
            Some((request, title)) => self.open_plan(request, title),
            None => self.reread_run(),
        }
    }
}

/// What abort leaves of a switch, or of its way back.
fn left_of_switch(run: &OurRun) -> &'static str {
    match (run.has_swapped(), run.goes_back()) {
        (false, true) => {
            "The tables have not changed places: applications go on with the partitioned ones, and the retired ones are kept complete."
        }
        (false, false) => {
            "The tables have not changed places: applications go on as before. Write markers and idle triggers that were made ready stay."
        }
        (true, false) => "The tables have changed places and stay so: only looking on ends.",
        (true, true) => "The tables are back under their old names and stay so: what is left is tidying up.",
    }
}

impl OurRun {
    /// Is it the way back of a switch?
    pub fn goes_back(&self) -> bool {
        self.progress.as_ref().is_some_and(|p| p.stages.iter().any(|s| s == "swap-back"))
    }

    fn new(slot: Slot, title: String, began: DateTime<Utc>) -> Self {
        Self {
            slot,
            title,
            plan: None,
            request: None,
            resumes: None,
            began,
            progress: None,
            wish: Wish::Go,
            leave: false,
            told: false,
            done: None,
            ended: None,
        }
    }
}

/// A run of the journal in a few words.
pub fn title_of(run: &RunRecord) -> String {
    match &run.undoes {
        Some(undone) => format!("{} {} (run {undone})", run.operation, run.name),
        None => format!("{} {}", run.operation, run.name),
    }
}
