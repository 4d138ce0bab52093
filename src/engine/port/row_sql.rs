//! Statements over rows: pages, planned rows, changes and what is asked after them. Text only: nothing is sent here.

use std::collections::BTreeMap;

use crate::engine::model::change::{Canary, Derived, RowChange};
use crate::engine::model::error::Result;
use crate::engine::model::page::{PageRequest, RowSource};
use crate::engine::model::preflight::Verification;
use crate::engine::model::profile::Source;
use crate::engine::model::query::{Column, ProfileSql, Sql};
use crate::engine::model::row_query::{ImagesOf, RowLimits, RowQuery, RowsFrom};
use crate::engine::model::table::{Constraint, Trigger};

/// Makes the statements.
pub trait RowSql: Sync {
    // Pages.

    /// A profile's query that may read its named sources.
    fn with_sources(&self, sources: &BTreeMap<String, Source>, sql: &str) -> String;
    /// The rows of a page, last first where it is read backwards: a JSON array of cells and one of its position.
    fn page(&self, request: &PageRequest, columns: &[Column]) -> ProfileSql;
    /// How many rows the request has in all.
    fn page_total(&self, request: &PageRequest, columns: &[Column]) -> ProfileSql;
    /// `true` where the key names every row once.
    fn is_keyed(&self, source: &RowSource) -> ProfileSql;
    /// The first rows of a small result in its own order, as [`RowSql::page`] gives them.
    fn first_rows(&self, sql: &ProfileSql, columns: &[Column], limit: usize) -> ProfileSql;
    /// How a profile's query reads its nth value.
    fn placeholder(&self, n: usize) -> String;

    // Planned rows.

    /// Rows as [`crate::engine::model::diff::PlannedRow`]s.
    fn planned(&self, rows: &RowQuery, portion: RowLimits<'_>) -> ProfileSql;
    /// The key's columns, to be described.
    fn planned_key(&self, rows: &RowQuery) -> ProfileSql;
    /// What planned rows are made of, before any of it is text, to be described: by that what must not be called is found.
    /// None: nothing is.
    fn planned_values(&self, rows: &RowQuery) -> Option<ProfileSql>;
    /// How many rows of a derived table these rows touch.
    fn touched(&self, rows: &RowQuery, change: &RowChange, derived: &Derived) -> ProfileSql;
    /// The rows with one column of their table, for a feature's own statement over them.
    fn column_of_rows(&self, rows: &RowQuery, column: &str) -> ProfileSql;
    /// A column of what rows are read from, to be described.
    fn column_of(&self, from: &RowsFrom, column: &str) -> ProfileSql;
    /// Texts as the server writes values of the column's type; one that is no such value is an error.
    fn as_written(&self, column: &Column, texts: &[String]) -> ProfileSql;
    /// A column's type, for people.
    fn type_word(&self, column: &Column) -> String;

    // Changes.

    /// The statements of a batch as a person reads them; the journal's own bookkeeping in words.
    fn statements_for_people(&self, change: &RowChange) -> Vec<String>;
    /// Every statement of a batch, each as what makes the server check names, types and privileges and executes nothing.
    fn checked_statements(&self, change: &RowChange) -> Vec<CheckedStatement>;
    /// What batches need besides the statements.
    fn batch_requirement(&self) -> Option<BatchRequirement>;
    /// Do the rows that a run wrote hold what it wrote? `step`: its place among the plan's steps.
    fn verification(&self, change: &RowChange, step: usize) -> Option<Verification>;
    /// How many rows answer a plan's question wrongly.
    fn verification_query(&self, question: &Verification, run: &str) -> ProfileSql;
    /// The same of a question of ours.
    fn own_verification_query(&self, question: &Verification, run: &str) -> Sql;
    /// What became of the rows of a batch.
    fn canary_counts(&self, canary: &Canary, run: &str, batch: u64) -> ProfileSql;
    /// `rows` and `named`: images whose rows were changed since, so that they cannot be put back; so many by key.
    fn changed_since(&self, images: &ImagesOf, named: usize) -> ProfileSql;
    /// How many images hold values from before that a CHECK refuses.
    fn refused(&self, images: &ImagesOf, check: &Constraint) -> ProfileSql;
    /// How a change passes what forbids it, in each batch.
    fn bypass(&self, table: &str, obstacle: Obstacle<'_>) -> Result<Bypass>;
    /// What the statements of a change pass: those of a plan are all that is left of how it was made.
    fn bypassed(&self, change: &RowChange) -> Vec<Bypassed>;
}

/// A statement that is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedStatement {
    /// Which, for people.
    pub what: String,
    /// What is sent.
    pub sql: ProfileSql,
    /// How the server checks it.
    pub method: CheckMethod,
}

/// How a server checks a statement without executing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckMethod {
    /// What is sent only explains the statement: it is run, and its answer dropped.
    Explain,
    /// The statement itself is sent: it is prepared, and never run.
    Prepare,
}

/// Something that batches need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRequirement {
    /// The preflight's id.
    pub id: &'static str,
    /// `true` where it is there.
    pub sql: Sql,
    /// What is said then.
    pub fine: &'static str,
    /// And otherwise, with what would help.
    pub lacking: &'static str,
}

/// What forbids a change.
#[derive(Debug, Clone, Copy)]
pub enum Obstacle<'a> {
    /// A trigger.
    Trigger(&'a Trigger),
    /// All triggers that fire for ordinary sessions.
    OrdinaryTriggers,
    /// A CHECK.
    Check(&'a Constraint),
}

/// How it is passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bypass {
    /// At the start of each batch.
    pub off: Vec<String>,
    /// At its end.
    pub on: Vec<String>,
    /// The start keeps all other writers out.
    pub excludes_writers: bool,
    /// The setting by which it is passed, where it is one.
    pub setting: Option<&'static str>,
    /// How it is passed, for people, where that is more than its statements say.
    pub how: Option<&'static str>,
    /// The lock that it takes, where it takes one.
    pub lock: Option<&'static str>,
}

/// What a change passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bypassed {
    /// All triggers that fire for ordinary sessions.
    OrdinaryTriggers,
    /// This trigger.
    Trigger(String),
    /// This CHECK.
    Check(String),
}
