//! Our run and the run on the screen; why an action on it is refused.

use crate::engine::model::error::{Class, Error};
use crate::engine::model::plan::Plan;
use crate::engine::model::progress::{ControlRequest, Phase};
use crate::engine::model::record::RunRecord;
use crate::engine::model::report::CheckId;
use crate::tui::keymap::KeyAction;
use crate::tui::model::run::{OurRun, RunView};
use crate::tui::model::state::Model;
use crate::tui::model::view::View;

impl Model {
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

    /// What was looked at before is looked at again after a change.
    pub(in crate::tui) fn mended_by(&self, run: &OurRun) -> Vec<CheckId> {
        let undone = |id: &String| self.journal.run(id).map(|r| (r.operation.clone(), r.name.clone()));
        let named = run.plan.as_ref().and_then(|p| match &p.undoes {
            Some(id) => undone(id),
            None => Some((p.operation.clone(), p.name.clone())),
        });
        let (verb, name) = named.or_else(|| undone(run.resumes.as_ref()?)).unwrap_or_default();
        let offers = self.session.iter().flat_map(|s| &s.operations);
        offers.filter(|o| o.verb == verb && o.name == name).filter_map(|o| o.mends.clone()).collect()
    }

    /// Only a run that holds the lock writes into the journal.
    pub(in crate::tui) fn why_not_note(&self) -> Option<String> {
        let why = "a note goes into the journal of a run of ours while it goes on; none does";
        self.run_going().is_none().then(|| why.to_owned())
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
                    run.plan.as_ref().map(|p| p.unit.clone()).unwrap_or_default().for_count(total)
                )
            }
            _ => "Nothing has been changed yet.".into(),
        }
    }

    /// Why an action cannot be done on the run shown.
    pub(in crate::tui) fn why_not_on_run(&self, view: &RunView, action: KeyAction) -> Option<String> {
        let going = self.ours(view).filter(|r| r.done.is_none());
        if is_of_switch(action) && self.is_switch(view) {
            return self.why_not_on_switch(action);
        }
        match action {
            KeyAction::Hold => match (going, self.record(view)) {
                (Some(run), _) if run.wish == ControlRequest::Cancel => Some("it is being stopped".into()),
                (Some(_), _) => None,
                (None, Some(r)) if r.live => {
                    Some(format!("it is run by {}: only there it can be held", r.by()))
                }
                (None, _) => Some("it is not going on".into()),
            },
            KeyAction::Undo => self.why_not_undo(self.record(view)),
            KeyAction::Sql => self.run_plan(view).is_none().then(|| "its plan is not read".into()),
            KeyAction::Replan => going.map(|_| "it is going on".into()),
            KeyAction::Cancel if going.is_none() => Some("it is not going on".into()),
            KeyAction::Export | KeyAction::Copy => {
                Some("midwatch runs NUMBER --json writes a run down".into())
            }
            KeyAction::Open => Some("there is nothing below".into()),
            KeyAction::Mark
            | KeyAction::MarkAll
            | KeyAction::Range
            | KeyAction::Sort
            | KeyAction::Filter
            | KeyAction::Next
            | KeyAction::Previous
            | KeyAction::DryRun => Some("not on a run".into()),
            _ => None,
        }
    }

    /// The plan of the run shown.
    pub fn run_plan<'a>(&'a self, view: &'a RunView) -> Option<&'a Plan> {
        let ours = self.ours(view).and_then(|r| r.plan.as_ref());
        ours.or_else(|| view.detail.as_ref()?.as_ref().ok()?.plan.as_ref())
    }
}

/// Means something of its own on the run of a switch.
pub(in crate::tui) fn is_of_switch(action: KeyAction) -> bool {
    matches!(action, KeyAction::EndBlocker | KeyAction::DryRun | KeyAction::Entries | KeyAction::Whole)
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
