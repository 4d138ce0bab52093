//! Who carries out a task: a feature, for a word of its own. The engine knows the word and nothing of its arguments.

use std::any::{Any, TypeId};
use std::collections::HashMap;

use crate::engine::model::error::{Error, Result};
use crate::engine::model::plan::Plan;
use crate::engine::model::policy::Policy;
use crate::engine::model::progress::{Control, Done, Progress, ProgressSink};
use crate::engine::model::record::Operator;
use crate::engine::model::step::{Step, Task};
use crate::engine::port::adapters::Adapters;
use crate::engine::port::clock::Clock;
use crate::engine::port::journal_copy::CopyReady;
use crate::engine::port::reader::{Fut, Reader};
use crate::engine::port::writer::{Cursor, Writer};

/// All runners, a list for each feature that has tasks.
pub type Runners<'a> = &'a [&'a [&'a dyn Runner]];

/// Who claims a word.
pub fn runner_of<'a>(runners: Runners<'a>, word: &str) -> Option<&'a dyn Runner> {
    runners.iter().flat_map(|of_feature| of_feature.iter()).copied().find(|r| r.task() == word)
}

/// Carries out the tasks of one word.
pub trait Runner: Sync {
    /// The word under `do` in the plan.
    fn task(&self) -> &'static str;
    /// Asked when a plan is opened and again before its first step: arguments that do not parse refuse the plan.
    fn start(&self, task: &Task) -> Result<Box<dyn Running>>;
    /// Does it run commands on the operator's machine? Those come from plans of this installation only.
    fn runs_commands(&self) -> bool {
        false
    }
    /// Does it accept the journal as it is? Such a run begins although the journal is not the one that was seen.
    fn accepts_journal(&self) -> bool {
        false
    }
    /// What a plan says of its run since plans have fields for it, of one made before.
    fn limits(&self, _task: &Task) -> TaskLimits {
        TaskLimits::default()
    }
    /// What a run that counts neither rows nor statements has done so far, by its step of this task.
    fn done_text(&self, _step: &Step, _done: u64, _all: u64) -> Option<String> {
        None
    }
}

/// How a task binds its whole run. Times are milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskLimits {
    /// A lock is waited for no longer than this in any step.
    pub lock_timeout_ms: Option<u64>,
    /// Once something is changed the rest is carried out after the window's end as well.
    pub continues_after_window: bool,
}

/// One task under way, or one that an earlier session of the run has carried out.
pub trait Running: Send {
    /// Carries it out.
    fn step<'a>(&'a mut self, run: &'a mut RunCx<'_>, step: &'a Step) -> Fut<'a, Result<(), RunStop>>;
    /// The run has ended, and this is what will be told of it. `at`: the step.
    fn ended<'a>(&'a mut self, _run: &'a mut RunCx<'_>, _at: usize, _done: &'a mut Done) -> Fut<'a, ()> {
        Box::pin(async {})
    }
}

/// Why the steps ended before their end.
pub struct RunStop {
    /// What failed.
    pub failure: Error,
    /// Known to be the end: nothing is in doubt.
    pub known: bool,
    /// Resuming with the rest would be right.
    pub resumable: bool,
    /// The failure's hint names the command that resumes.
    pub names_resume: bool,
}

impl RunStop {
    /// Nothing is in doubt.
    pub fn known(failure: Error) -> Self {
        Self { failure, known: true, resumable: true, names_resume: false }
    }

    /// The same, of a failure whose hint names the command that resumes.
    pub fn naming_resume(failure: Error) -> Self {
        Self { names_resume: true, ..Self::known(failure) }
    }
}

/// One run under way: what the executor works with, and what it lends to tasks.
pub struct RunCx<'a> {
    /// What was approved.
    pub(in crate::engine) plan: &'a Plan,
    /// Looks at the target, with sessions of its own.
    pub facts: &'a dyn Reader,
    /// The machine.
    pub adapters: &'a Adapters,
    /// What is allowed.
    pub(in crate::engine) policy: &'a Policy,
    /// Who is at the keys.
    pub(in crate::engine) operator: &'a Operator,
    /// When maintenance is allowed: minutes of the UTC day, from and to.
    pub(in crate::engine) window: Option<(u32, u32)>,
    /// The time.
    pub(in crate::engine) clock: Clock,
    /// How the plan and its tasks bind the run.
    pub(in crate::engine) limits: TaskLimits,
    /// What the operator wants.
    pub control: &'a Control,
    /// Takes the progress.
    pub(in crate::engine) watcher: ProgressSink<'a>,
    /// The only way to change something.
    pub writer: Box<dyn Writer>,
    /// How far it is, as the journal knows it.
    pub begun: Cursor,
    /// How far it is, for people.
    pub progress: Progress,
    /// When the last batches ended and how many rows they had, for the rate.
    pub(in crate::engine) marks: Vec<(i64, u64)>,
    /// What is told at the end besides.
    pub said: Vec<String>,
    /// What had to be done to the journal's copy, and whether entries go there.
    pub(in crate::engine) copy: CopyReady,
    /// Why the last entries are not in the journal's copy, where that is so.
    pub(in crate::engine) uncopied: Option<String>,
    /// The server did not come back when it was waited for: it is not waited for again.
    pub(in crate::engine) unreachable: bool,
    /// What the tasks of this session hand on to each other.
    pub kept: TaskValues,
}

/// Values of tasks by their type; gone with the session.
#[derive(Default)]
pub struct TaskValues(HashMap<TypeId, Box<dyn Any + Send>>);

impl TaskValues {
    /// The value of this type, where a task has put one.
    pub fn get<T: Any + Send>(&self) -> Option<&T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref()
    }

    /// Puts a value in place of the one of its type.
    pub fn put<T: Any + Send>(&mut self, value: T) {
        self.0.insert(TypeId::of::<T>(), Box::new(value));
    }

    /// Takes the value of this type away.
    pub fn forget<T: Any + Send>(&mut self) {
        self.0.remove(&TypeId::of::<T>());
    }
}
