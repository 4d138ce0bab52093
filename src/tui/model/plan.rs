//! A plan on the screen: its stage, its first rows, the phrase being typed.

use crate::engine::gate::guard::Ladder;
use crate::engine::model::diff::PlannedRow;
use crate::engine::model::plan::Plan;
use crate::engine::plan::request::{Request, request_of};
use crate::tui::data::ReviewedPlan;
use crate::tui::failure::Failure;
use crate::tui::model::confirm::Confirm;
use crate::tui::model::run::OurRun;
use crate::tui::msg::{PlanColumns, Slot};
use chrono::{DateTime, Utc};

/// How far a plan is.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// Being made.
    Planning,
    /// Made and reviewed.
    Ready(Box<ReviewedPlan>),
    /// There is none.
    Failed(Failure),
}

/// A plan on the screen. The levels of panes only name it: there is one of it, however one came to it.
#[derive(Debug, Clone)]
pub struct PlanView {
    /// Answers to other slots are not ours.
    pub slot: Slot,
    /// What was asked for.
    pub request: Request,
    /// The same in a few words.
    pub title: String,
    /// How far it is.
    pub stage: Stage,
    /// When it was asked for.
    pub began: DateTime<Utc>,
    /// Rows read so far.
    pub counted: u64,
    /// What takes its time while it is made.
    pub doing: Option<String>,
    /// Rows held.
    pub rows: Vec<PlannedRow>,
    /// The number of the first row held.
    pub from: u64,
    /// Rows from this number on are on their way.
    pub reading: Option<u64>,
    /// Why rows could not be read.
    pub failure: Option<Failure>,
    /// All kinds of change are listed, not only the first.
    pub all_totals: bool,
    /// The line in which the phrase is typed, while it is open.
    pub confirm: Option<Confirm>,
    /// It is the plan of this unfinished run of another installation, which is resumed by its phrase, at any time.
    pub resumes: Option<String>,
}

impl PlanView {
    pub(in crate::tui) fn new(slot: Slot, request: Request, title: String, began: DateTime<Utc>) -> Self {
        Self {
            slot,
            request,
            title,
            stage: Stage::Planning,
            began,
            counted: 0,
            doing: None,
            rows: vec![],
            from: 0,
            reading: None,
            failure: None,
            all_totals: false,
            confirm: None,
            resumes: None,
        }
    }

    /// The plan of a run that was to be resumed.
    pub(in crate::tui) fn of_run(run: OurRun, reviewed: Box<ReviewedPlan>, now: DateTime<Utc>) -> Self {
        Self {
            rows: reviewed.plan.diff.clone(),
            counted: reviewed.plan.diff_total,
            resumes: run.resumes,
            ..Self::new(run.slot, request_of(&reviewed.plan), run.title, now)
        }
        .ready(reviewed)
    }

    fn ready(self, reviewed: Box<ReviewedPlan>) -> Self {
        Self { stage: Stage::Ready(reviewed), ..self }
    }

    /// By the server's clock. What has begun does not expire.
    pub fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.resumes.is_none() && self.plan().is_some_and(|plan| expired(plan.expires_at, now))
    }

    /// The plan, once it is made.
    pub fn plan(&self) -> Option<&Plan> {
        match &self.stage {
            Stage::Ready(reviewed) => Some(&reviewed.plan),
            Stage::Planning | Stage::Failed(_) => None,
        }
    }

    /// Rows that can be looked at: all of them, or those seen so far.
    pub fn total(&self) -> u64 {
        self.plan().map_or(self.rows.len() as u64, |p| p.diff_total)
    }

    /// A row, where it is held.
    pub fn row(&self, number: u64) -> Option<&PlannedRow> {
        let at = usize::try_from(number.checked_sub(self.from)?).ok()?;
        self.rows.get(at)
    }

    fn first_rows(&self) -> &[PlannedRow] {
        self.plan().map_or(self.rows.as_slice(), |p| p.diff.as_slice())
    }

    /// Have its rows an old value, have they a new one? What comes has nothing before, what goes nothing after.
    pub fn sides(&self) -> (bool, bool) {
        let (mut before, mut after) = (false, false);
        for row in self.first_rows() {
            before |= row.before.is_some();
            after |= row.after.is_some();
        }
        (before || !after, after || !before)
    }

    /// The columns of its rows: those its steps write, and those the first rows show.
    pub fn columns(&self) -> PlanColumns {
        let mut out = PlanColumns::default();
        let add = |list: &mut Vec<String>, name: &str| {
            if !list.iter().any(|n| n == name) {
                list.push(name.to_owned());
            }
        };
        for change in self.plan().into_iter().flat_map(Plan::row_changes) {
            change.key.iter().for_each(|c| add(&mut out.key, &c.name));
            change.columns.iter().for_each(|c| add(&mut out.changed, &c.name));
        }
        for row in self.first_rows() {
            row.key.keys().for_each(|n| add(&mut out.key, n));
            row.show.keys().for_each(|n| add(&mut out.show, n));
            [&row.before, &row.after].into_iter().flatten().for_each(|values| {
                values.keys().for_each(|n| add(&mut out.changed, n));
            });
        }
        out
    }
}

/// By the server's clock.
pub fn expired(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now >= at
}

pub(in crate::tui) fn too_early(ladder: &Ladder, now: DateTime<Utc>) -> Option<String> {
    let wait = wait(ladder, now)?;
    Some(format!("read it first: it can be confirmed in {wait} s"))
}

/// Seconds until it can be confirmed.
pub fn wait(ladder: &Ladder, now: DateTime<Utc>) -> Option<i64> {
    let left = (ladder.opens_at? - now).num_milliseconds();
    (left > 0).then_some((left + 999) / 1000)
}
