//! The way to change something: opened by an approval only, and able to do what a plan says, nothing else.

use std::sync::Arc;

use crate::engine::gate::guard::Approved;
use crate::engine::model::blocker::EndSession;
use crate::engine::model::change::RowChange;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::event::Event;
use crate::engine::model::plan::Plan;
use crate::engine::model::query::Sql;
use crate::engine::model::record::{Operator, Outcome};
use crate::engine::model::row_store::RawRow;
use crate::engine::model::step::Step;
use crate::engine::port::reader::Fut;
use crate::engine::port::signer::Signer;

/// Opens writers on one target. The server ends what a writer holds locks in, in time, whatever becomes of its client.
pub trait Writers: Send + Sync {
    /// Takes the target's lock on a session of its own and opens another to write with. A second operator is told
    /// who is there.
    fn open<'a>(&'a self, approved: &'a Approved, terms: &'a RunLimits) -> Fut<'a, Result<Box<dyn Writer>>>;
}

/// How to work.
#[derive(Debug, Clone)]
pub struct RunLimits {
    /// Signs the entries.
    pub signer: Arc<dyn Signer>,
    /// Who applies the plan.
    pub operator: Operator,
    /// How long to wait for a lock (milliseconds).
    pub lock_timeout_ms: u64,
    /// How long a transaction that changes something may take, and each statement of others (milliseconds).
    pub statement_timeout_ms: u64,
    /// The same of a batch that keeps all other writers out (milliseconds).
    pub guard_off_ms: u64,
    /// Schemas searched for unqualified names of the profile's statements.
    pub search_path: Vec<String>,
    /// Those of the plan leave none to it; of a plan of an older version they do.
    pub names_with_schema: bool,
}

/// A run that has begun, as the journal knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Its number.
    pub run: String,
    /// Whoever has a higher one has taken over.
    pub fence: i64,
    /// The step it is at.
    pub step: usize,
    /// The last planned row, or statement, of the step that is done with.
    pub checkpoint: u64,
    /// Batches committed.
    pub batch: u64,
    /// Rows changed so far.
    pub applied: u64,
    /// Rows left alone so far.
    pub drifted: u64,
}

/// A batch to do.
#[derive(Debug)]
pub struct Batch<'a> {
    /// Of which run.
    pub begun: &'a Cursor,
    /// How rows are changed.
    pub change: &'a RowChange,
    /// Rows at most; a unit is done whole whatever its size.
    pub rows: u64,
    /// The number it will have.
    pub number: u64,
    /// When it began, in milliseconds: its entry says how long it took.
    pub began: i64,
    /// A row that is not as planned takes the batch back: nothing has been changed yet.
    pub refuse_drift: bool,
    /// What made it smaller, for other consoles.
    pub message: Option<&'a str>,
}

/// Statements inside locks that others wait for. All of it is one transaction within a budget that the server keeps.
pub struct Locked<'a> {
    /// The step whose statements they are.
    pub step: &'a Step,
    /// What is done inside them, for errors: `swap the tables`.
    pub doing: &'a str,
    /// What the questions ask for, for errors.
    pub asking: &'a str,
    /// What is locked, in this order.
    pub objects: &'a [String],
    /// How long each lock is waited for (milliseconds).
    pub lock_timeout_ms: u64,
    /// How long the locks may be held, the waiting included (milliseconds).
    pub budget_ms: u64,
    /// Asked inside the locks before the statements. Before each group the statements' limit is set to what is left.
    pub questions: Vec<Vec<LockedQuestion<'a>>>,
    /// What the run's count grows by.
    pub counts: u64,
    /// Which attempt it is.
    pub attempt: u32,
    /// What its entry says besides.
    pub entry: serde_json::Map<String, serde_json::Value>,
}

/// A question whose answer is one text.
pub struct LockedQuestion<'a> {
    /// The query.
    pub sql: Sql,
    /// What the answer is for.
    pub wanted: AnswerUse<'a>,
}

/// What an answer is for.
pub enum AnswerUse<'a> {
    /// It must be this one; else all of it is rolled back for the reason that is made of the answer.
    Answer(Option<String>, Refusal<'a>),
    /// A number of rows that are compared, for the entry.
    Compared,
}

/// The reason to roll back, made of an answer.
pub type Refusal<'a> = Box<dyn Fn(Option<&str>) -> Error + Send + Sync + 'a>;

/// Locks that were held, and let go by the commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Released {
    /// What was written into the journal.
    pub event: Option<Event>,
    /// How long it waited for the locks, in milliseconds.
    pub waited_ms: u64,
    /// How long they were held, the commit included.
    pub held_ms: u64,
    /// Rows compared inside the locks.
    pub compared: u64,
}

/// A batch that is committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// The last planned row, or statement, that is done with.
    pub checkpoint: u64,
    /// Rows changed.
    pub applied: u64,
    /// Rows left alone.
    pub drifted: u64,
    /// Derived rows written.
    pub derived: u64,
    /// No planned row was left, nothing was done; or no statement is left.
    pub end: bool,
    /// What was written into the journal.
    pub event: Option<Event>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The verdict.
    pub outcome: Outcome,
    /// Something is left to do.
    pub resumable: bool,
    /// The proof.
    pub verified: Option<bool>,
    /// Why it stopped.
    pub message: Option<String>,
    /// More for the journal.
    pub body: serde_json::Value,
}

/// The writing side of one run. Errors say by `ambiguous` when a commit's fate is not known.
pub trait Writer: Send {
    /// Begins a run: `bootstrap` statements first, then the run's row and its intent. Durable after
    /// [`Writer::staged`] only.
    fn begin<'a>(&'a mut self, plan: &'a Plan, bootstrap: &'a [String]) -> Fut<'a, Result<Cursor>>;
    /// Puts planned rows into the journal, in order.
    fn stage<'a>(
        &'a mut self,
        begun: &'a Cursor,
        step: usize,
        from: u64,
        rows: &'a [RawRow],
    ) -> Fut<'a, Result<()>>;
    /// Makes the intent durable.
    fn staged<'a>(&'a mut self, begun: &'a Cursor, body: &'a serde_json::Value) -> Fut<'a, Result<Event>>;
    /// Gives up what was staged.
    fn abandon(&mut self) -> Fut<'_, ()>;
    /// Takes over a run whose client is gone, once none of its sessions is left.
    fn take_over<'a>(&'a mut self, run: &'a str) -> Fut<'a, Result<(Cursor, Event)>>;
    /// Runs a step's statements; `counted`: they are what the run counts.
    fn statements<'a>(
        &'a mut self,
        begun: &'a Cursor,
        step: &'a Step,
        counted: bool,
    ) -> Fut<'a, Result<Committed>>;
    /// Locks in order, questions asked inside them, statements, commit; rolls all of it back where an answer is not as
    /// wanted or the budget is spent.
    fn locked<'a>(&'a mut self, begun: &'a Cursor, what: &'a Locked<'a>) -> Fut<'a, Result<Released>>;
    /// Does one batch.
    fn batch<'a>(&'a mut self, batch: &'a Batch<'a>) -> Fut<'a, Result<Committed>>;
    /// Lets the server look at what was written, so that what is asked next is planned well. Never a failure.
    fn analyse(&mut self) -> Fut<'_, ()>;
    /// Goes to the next step.
    fn next_step<'a>(&'a mut self, begun: &'a Cursor, step: usize) -> Fut<'a, Result<()>>;
    /// Says what the run is doing, for other consoles.
    fn announce<'a>(
        &'a mut self,
        begun: &'a Cursor,
        message: Option<&'a str>,
        batch_rows: u64,
    ) -> Fut<'a, Result<()>>;
    /// An entry of the run.
    fn note<'a>(
        &'a mut self,
        begun: &'a Cursor,
        kind: &'a str,
        body: &'a serde_json::Value,
    ) -> Fut<'a, Result<Event>>;
    /// Ends another's session, if it is still the one that was meant, and writes down whether it was.
    fn end_session<'a>(
        &'a mut self,
        begun: &'a Cursor,
        session: &'a EndSession,
    ) -> Fut<'a, Result<(bool, Event)>>;
    /// Writes down how it ended.
    fn end<'a>(&'a mut self, begun: &'a Cursor, ending: &'a Ending) -> Fut<'a, Result<Event>>;
    /// After a lost connection: waits for our own sessions to be gone and reads how far the run has come.
    fn recover<'a>(&'a mut self, begun: &'a Cursor) -> Fut<'a, Result<(Cursor, Event)>>;
    /// Is the target's lock still ours?
    fn holds_lock(&mut self) -> Fut<'_, Result<()>>;
    /// Lets go of the lock and closes both sessions.
    fn close(self: Box<Self>) -> Fut<'static, ()>;
}
