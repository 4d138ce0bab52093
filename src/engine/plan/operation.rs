//! A kind of operation: it plans and says what it would mean; it never acts.

use crate::engine::model::preflight::Risk;

use crate::engine::check::kind::{Check, CheckCx};
use crate::engine::check::paging::RowSource;
use crate::engine::check::verdict::VerdictSpec;
use crate::engine::model::error::Result;
use crate::engine::model::grants::TableNeed;
use crate::engine::model::name_change::NameChange;
use crate::engine::model::param::{ParamSpec, Params};
use crate::engine::model::plan::{Plan, Unit};
use crate::engine::model::preflight::{Preflight, Reversible, Verification};
use crate::engine::model::profile::{Profile, Write};
use crate::engine::model::record::RunRecord;
use crate::engine::model::report::CheckId;
use crate::engine::model::row_query::RowQuery;
use crate::engine::model::step::{Lock, Step};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::name_changes::NameChanges;
use crate::engine::port::reader::Fut;

/// Stands for all names that an operation has, where it takes many.
pub const ALL: &str = "all";

/// What is fixed about an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpSpec {
    /// The word on the command line and in the phrase.
    pub verb: &'static str,
    /// One line for help.
    pub about: &'static str,
    /// At its worst.
    pub risk: Risk,
    /// What it takes.
    pub params: &'static [ParamSpec],
    /// What follows the verb on a command line that a person would type, with a key where it has any.
    pub example: &'static str,
    /// Works without a journal, because it makes it.
    pub bootstraps: bool,
    /// Takes several names at once, comma separated; none given: all there are.
    pub many: bool,
    /// Verdicts that it asks other features for, and words itself ([`PlanCx::ask`]).
    pub asks: &'static [&'static str],
}

/// Something that could be done on a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The verb.
    pub verb: &'static str,
    /// On what.
    pub name: String,
    /// What it would do.
    pub about: String,
    /// The check whose findings it mends.
    pub mends: Option<CheckId>,
    /// At its worst.
    pub risk: Risk,
    /// The strongest lock it takes, in words.
    pub locks: String,
    /// Why it cannot be done.
    pub disabled: Option<String>,
    /// What must be given, asked for before planning (key and question).
    pub asks: Vec<(&'static str, String)>,
    /// Takes `ids`: single rows can be chosen.
    pub takes_rows: bool,
}

/// What planning may use: nothing here can write.
#[derive(Clone, Copy)]
pub struct PlanCx<'a> {
    /// The target, read-only.
    pub cx: CheckCx<'a>,
    /// The kinds of checks, for the rows behind their findings.
    pub checks: &'static [&'static dyn Check],
    /// What features answer about their reports, a list for each.
    pub verdicts: &'static [&'static [VerdictSpec]],
    /// What the operation that is planned asks of them by itself.
    pub questions: &'static [&'static str],
    /// The target's name.
    pub target: &'a str,
    /// The kinds of operations, for the runs that others have left.
    pub operations: &'static [&'static dyn Operation],
    /// The maintenance policy in force.
    pub policy: &'a crate::engine::model::policy::Policy,
    /// Where backups go.
    pub backups: &'a dyn crate::engine::port::backups::Backups,
    /// What is kept of the journal on this machine.
    pub(in crate::engine) journal_copy: &'a dyn crate::engine::port::journal_copy::JournalCopy,
    /// The keys of this machine.
    pub(in crate::engine) signer: &'a dyn crate::engine::port::signer::Signer,
    /// Says what takes its time.
    pub doing: &'a (dyn Fn(String) + Send + Sync),
}

impl PlanCx<'_> {
    /// The profile.
    pub fn profile(&self) -> &Profile {
        self.cx.profile
    }

    /// The target's dialect.
    pub fn dialect(&self) -> &'static dyn Dialect {
        self.cx.dialect()
    }

    /// The rows behind a finding.
    pub fn rows(&self, kind: &str, name: &str, finding: &str) -> Option<RowSource> {
        let check = self.checks.iter().find(|c| c.spec().kind == kind)?;
        check.rows(self.dialect(), self.cx.profile, name, finding)
    }
}

/// What an operation makes of a request; the engine adds identity, rows, digest and phrase.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Why there is something to do.
    pub why: String,
    /// What changes besides the rows themselves; the engine puts the rows' line first.
    pub changes: Vec<String>,
    /// What must be passed, how, at what price.
    pub obstacle: Option<String>,
    /// Can it be taken back?
    pub reversible: Reversible,
    /// How; what is lost; why not.
    pub undo: UndoText,
    /// The selection is by exact keys from now on.
    pub frozen: bool,
    /// Names that mean something else afterwards, in the order in which they change.
    pub renames: Vec<NameChange>,
    /// What is done.
    pub steps: Vec<Step>,
    /// The operation's own preflight.
    pub preflight: Vec<Preflight>,
    /// What is asked afterwards.
    pub verify: Vec<Verification>,
    /// The rows of each step that changes rows, in the steps' order.
    pub rows: Vec<RowQuery>,
    /// What the count counts.
    pub unit: Unit,
    /// A lock is waited for no longer than this in any step (milliseconds), where the policy allows longer.
    pub lock_timeout_ms: Option<u64>,
    /// Once something is changed the rest is carried out after the window's end as well.
    pub continues_after_window: bool,
    /// Its statements are those of a plan of an older version, whose names are left to the profile's search path.
    pub names_left: bool,
    /// The count, where there are no rows.
    pub count: u64,
    /// The run that it takes back, where it is not an undo by name.
    pub undoes: Option<String>,
}

/// How a draft is undone, in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UndoText {
    /// What stands in front while nothing is lost.
    whole: &'static str,
    text: String,
}

impl UndoText {
    /// All of it is undone by this.
    pub fn full(by: impl Into<String>) -> Self {
        Self { whole: "full: ", text: by.into() }
    }

    /// All of it is undone from what was kept: `from …`.
    pub fn full_from(kept: impl Into<String>) -> Self {
        Self { whole: "full, ", text: kept.into() }
    }

    /// The same where something is lost after all.
    #[must_use]
    pub fn losing(self, lost: &[String]) -> Self {
        Self { whole: "", text: format!("{}; lossy: {}", self.text, lost.join("; ")) }
    }
}

/// In words that say themselves what is lost.
impl From<String> for UndoText {
    fn from(text: String) -> Self {
        Self { whole: "", text }
    }
}

impl From<&str> for UndoText {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl std::fmt::Display for UndoText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.whole, self.text)
    }
}

/// Nothing to do yet, and no way to undo it: an operation says what it fills in.
impl Default for Draft {
    fn default() -> Self {
        Self {
            why: String::new(),
            changes: vec![],
            obstacle: None,
            reversible: Reversible::No,
            undo: UndoText::default(),
            frozen: false,
            renames: vec![],
            count: 0,
            undoes: None,
            steps: vec![],
            preflight: vec![],
            verify: vec![],
            rows: vec![],
            unit: Unit::STATEMENTS,
            lock_timeout_ms: None,
            continues_after_window: false,
            names_left: false,
        }
    }
}

/// The inverse of a run.
#[derive(Debug)]
pub enum Undo {
    /// It can be planned.
    Draft(Box<Draft>),
    /// It cannot.
    Impossible {
        /// The reason.
        why: String,
    },
}

/// A kind of operation. Each is one file of a feature, registered in `features/mod.rs`.
///
/// It has no `apply`: the executor runs the plan's steps, nothing else. And a plan cannot write:
///
/// ```compile_fail,E0599
/// async fn plan(cx: &midwatch::engine::plan::operation::PlanCx<'_>) {
///     let mut tx = cx.cx.read().await.unwrap();
///     tx.execute("delete from t", &[]).await;
/// }
/// ```
///
/// The same with a statement that reads compiles:
///
/// ```
/// async fn plan(cx: &midwatch::engine::plan::operation::PlanCx<'_>) {
///     let mut tx = cx.cx.read().await.unwrap();
///     let _rows = tx.texts(&midwatch::engine::model::query::Sql::new("select 1")).await;
/// }
/// ```
pub trait Operation: Sync {
    /// What is fixed about it.
    fn spec(&self) -> &'static OpSpec;
    /// What it could be done on, in the profile's order.
    fn offers(&self, profile: &Profile, dialect: &dyn Dialect) -> Vec<Offer>;
    /// What it does to which tables: the rights that a role needs for it. What statements of the profile do besides is
    /// read from them.
    fn needs(&self, profile: &Profile) -> Vec<TableNeed> {
        let _ = profile;
        vec![]
    }
    /// Plans.
    fn plan<'a>(&'a self, cx: &'a PlanCx<'a>, name: &'a str, params: &'a Params) -> Fut<'a, Result<Draft>>;
    /// What the profile declares of the change. The planner asks for the verdicts that it names and adds the answers to the
    /// preflight of a plan, and of the inverse of its run. Verdicts of the operation's own stand in [`OpSpec::asks`].
    fn declared_write<'p>(&self, profile: &'p Profile, name: &str, params: &Params) -> Option<&'p Write> {
        let _ = (profile, name, params);
        None
    }
    /// The inverse of a run of this operation, where it is not that of its images.
    fn undo<'a>(&'a self, cx: &'a PlanCx<'a>, run: &'a RunRecord) -> Fut<'a, Result<Option<Undo>>> {
        let _ = (cx, run);
        Box::pin(async { Ok(None) })
    }
    /// Its runs, and their inverses, may give a name to another object.
    fn changes_names(&self) -> bool {
        false
    }
    /// What such a run has done to its tables, as its users say.
    fn renaming_word(&self) -> &'static str {
        "renamed"
    }
    /// The names that these steps change: of a plan of its own, or of the inverse of one, that a version made whose plans
    /// did not declare them. A draft of this version has them in `renames`.
    fn name_changes(&self, steps: &[Step]) -> Vec<NameChange> {
        let _ = steps;
        vec![]
    }
    /// What has to be undone first where a later run of its has changed a name, as a command.
    fn first(&self, run: &RunRecord) -> Option<String> {
        let _ = run;
        None
    }
}

impl NameChanges for &'static [&'static dyn Operation] {
    fn verbs(&self) -> Vec<String> {
        self.iter().filter(|o| o.changes_names()).map(|o| o.spec().verb.to_owned()).collect()
    }

    fn in_plan(&self, plan: &Plan) -> Vec<NameChange> {
        if !plan.renames.is_empty() {
            return plan.renames.clone();
        }
        let mut out: Vec<NameChange> = Vec::new();
        for change in self.iter().filter(|o| o.changes_names()).flat_map(|o| o.name_changes(&plan.steps)) {
            if !out.contains(&change) {
                out.push(change);
            }
        }
        out
    }
}

/// What a run of this verb has done to its tables, as its users say. A verb of none is that of an inverse.
pub(in crate::engine) fn renaming_word(operations: &[&dyn Operation], verb: &str) -> &'static str {
    let by_verb = operations.iter().find(|o| o.spec().verb == verb);
    let any = || operations.iter().find(|o| o.changes_names());
    by_verb.or_else(any).map_or("renamed", |o| o.renaming_word())
}

/// A lock that nobody has measured yet.
pub fn lock(object: &str, mode: &str) -> Lock {
    Lock { object: object.into(), mode: mode.into(), ..Lock::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_takes_the_place_of_full() {
        let lost = ["what t writes stays".to_owned(), "u".to_owned()];
        for (text, whole, losing) in [
            (UndoText::full("by hand"), "full: by hand", "by hand; lossy: what t writes stays; u"),
            (
                UndoText::full_from("from images"),
                "full, from images",
                "from images; lossy: what t writes stays; u",
            ),
            // Words of its own are not looked into.
            (
                UndoText::from("full, it says"),
                "full, it says",
                "full, it says; lossy: what t writes stays; u",
            ),
        ] {
            assert_eq!(text.to_string(), whole);
            assert_eq!(text.losing(&lost).to_string(), losing);
        }
    }
}
