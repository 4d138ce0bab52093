//! Steps of a plan and what each does.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::engine::model::change::RowChange;
use crate::engine::model::error::{Class, Error, Result};

/// A lock that a step takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "LockText")]
pub struct Lock {
    /// On what, for people: a table's name, or what else is locked in words.
    pub object: String,
    /// How strong, in the server's words.
    pub mode: String,
    /// For how long, in milliseconds, where it was measured.
    pub held_ms: Option<u64>,
    /// Where it was measured.
    pub measured_on: Option<String>,
    /// The table whose partitions they are, where `object` is not a table itself. A plan's text has it in `object` only.
    #[serde(skip_serializing)]
    pub partitions_of: Option<String>,
}

/// A lock as plans keep it.
#[derive(Deserialize)]
struct LockText {
    object: String,
    mode: String,
    held_ms: Option<u64>,
    measured_on: Option<String>,
}

impl From<LockText> for Lock {
    fn from(text: LockText) -> Self {
        let LockText { object, mode, held_ms, measured_on } = text;
        let partitions_of = object.strip_prefix("partitions of ").map(str::to_owned);
        Self { object, mode, held_ms, measured_on, partitions_of }
    }
}

impl Lock {
    /// On the partitions of a table.
    pub fn of_partitions(table: &str, mode: String) -> Self {
        let object = format!("partitions of {table}");
        Self { object, mode, partitions_of: Some(table.to_owned()), ..Self::default() }
    }

    /// The table that it is on, itself or by its partitions.
    pub fn table(&self) -> &str {
        self.partitions_of.as_deref().unwrap_or(&self.object)
    }
}

/// How strong a lock is, by whom it keeps waiting; the dialect has the server's words for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockStrength {
    /// Rows are written: nobody waits but for those rows.
    Rows,
    /// All other writers wait, readers do not.
    Writers,
    /// All others wait, readers as well.
    Everyone,
}

/// What a step does. The executor knows three of them; any other word is a task, which a feature's runner carries out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub enum Action {
    /// The journal's own tables; the run that creates them is its first entry.
    Bootstrap,
    /// The step's statements, in order.
    Statements,
    /// The plan's rows, in batches.
    Rows(Box<RowChange>),
    /// Something else.
    Task(Task),
}

/// A word and what its runner is given.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Under `do` in the plan.
    pub word: String,
    /// Everything beside it.
    pub args: Map<String, Value>,
}

impl Task {
    /// Arguments that are not an object are none: the runner then refuses them.
    pub fn new(word: &str, args: impl Serialize) -> Self {
        let args = match serde_json::to_value(args) {
            Ok(Value::Object(args)) => args,
            _ => Map::new(),
        };
        Self { word: word.to_owned(), args }
    }

    /// The arguments, as its runner knows them.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.args)
    }
}

/// The key of an action's word.
const DO: &str = "do";

impl TryFrom<Map<String, Value>> for Action {
    type Error = String;

    fn try_from(mut map: Map<String, Value>) -> Result<Self, String> {
        let Some(Value::String(word)) = map.shift_remove(DO) else {
            return Err(format!("an action without a word under {DO:?}"));
        };
        Ok(match word.as_str() {
            "bootstrap" => Self::Bootstrap,
            "statements" => Self::Statements,
            "rows" => Self::Rows(serde_json::from_value(Value::Object(map)).map_err(|e| e.to_string())?),
            _ => Self::Task(Task { word, args: map }),
        })
    }
}

impl From<Action> for Map<String, Value> {
    fn from(action: Action) -> Self {
        let (word, args) = match action {
            Action::Bootstrap => ("bootstrap".to_owned(), Self::new()),
            Action::Statements => ("statements".to_owned(), Self::new()),
            Action::Rows(change) => {
                let Task { word, args } = Task::new("rows", change);
                (word, args)
            }
            Action::Task(Task { word, args }) => (word, args),
        };
        let mut map = Self::with_capacity(args.len() + 1);
        map.insert(DO.to_owned(), Value::String(word));
        map.extend(args);
        map
    }
}

/// A step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Short, for progress and errors.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// What will be sent, as it will be sent.
    pub statements: Vec<String>,
    /// Locks taken.
    pub locks: Vec<Lock>,
    /// All of it, or each batch of it, is one transaction.
    pub in_transaction: bool,
    /// So many statements at a time in a transaction of their own; absent: all of them in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portion: Option<usize>,
    /// Rows that it changes, where the plan has several steps that do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Statements that take it back, in their order; of rows the images say it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub back: Vec<String>,
    /// What it looks after moves by itself, and it is right whenever it is carried out: a plan is not stale because a
    /// moment later such a step is needed, or no longer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moving: bool,
    /// How it is carried out.
    pub action: Action,
}

impl Step {
    /// Statements in one transaction; the rest is said by `Step { …, ..Step::new(…) }`.
    pub fn new(id: impl Into<String>, title: impl Into<String>, statements: Vec<String>) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            statements,
            locks: vec![],
            in_transaction: true,
            portion: None,
            rows: None,
            back: vec![],
            moving: false,
            action: Action::Statements,
        }
    }

    /// Its task, if its word is this one.
    pub fn task<T: DeserializeOwned>(&self, word: &str) -> Option<T> {
        match &self.action {
            Action::Task(task) if task.word == word => task.parse().ok(),
            _ => None,
        }
    }
}

/// Refuses statements that cannot share a transaction: where such a step was cut off, nobody could tell which of them
/// are done. Nothing of the kind is planned, confirmed, begun or resumed.
pub fn check_in_transaction(steps: &[Step]) -> Result<()> {
    let alone = |s: &&Step| matches!(s.action, Action::Statements) && !s.in_transaction;
    let Some(step) = steps.iter().find(alone) else { return Ok(()) };
    let message = format!("step {} has statements that cannot share a transaction", step.id);
    Err(Error::new(Class::Refused, message)
        .hint("this version carries out no such step: it could not be resumed safely"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_reads_and_prints_the_same_text() {
        for text in [
            r#"{"do":"bootstrap"}"#,
            r#"{"do":"statements"}"#,
            r#"{"do":"hook","command":"true","timeout_s":60}"#,
            r#"{"do":"prove","proofs":[{"name":"t","sql":"select 1"}]}"#,
            r#"{"do":"a task of another version","deep":{"b":1,"a":[1.5,null]}}"#,
        ] {
            let action: Action = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&action).unwrap(), text);
        }
    }

    #[test]
    fn a_lock_on_partitions_keeps_its_text_and_names_its_table() {
        let lock = Lock::of_partitions("orders", "SHARE".into());
        let text = r#"{"object":"partitions of orders","mode":"SHARE","held_ms":null,"measured_on":null}"#;
        assert_eq!(serde_json::to_string(&lock).unwrap(), text);
        let read: Lock = serde_json::from_str(text).unwrap();
        assert_eq!((read.table(), &read), ("orders", &lock));
        let plain: Lock = serde_json::from_str(&text.replace("partitions of ", "")).unwrap();
        assert_eq!((plain.table(), plain.partitions_of.as_deref()), ("orders", None));
    }

    #[test]
    fn broken_rows_are_no_task() {
        for text in [r#"{"do":"rows"}"#, r#"{"do":"rows","table":1}"#, r#"{"command":"true"}"#, r#"{"do":1}"#]
        {
            assert!(serde_json::from_str::<Action>(text).is_err(), "{text}");
        }
    }
}
