//! A throwaway copy of a target: what must be executed to be known is executed there, never on the target.

use std::sync::Arc;

use crate::engine::model::error::{Error, Result};
use crate::engine::port::reader::{Fut, Reader};

/// Which rows a copy gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rows {
    /// None: the tables are empty.
    #[default]
    None,
    /// So many of each relation at most, the first by their key.
    Sample(u64),
}

/// A relation whose sample are the rows that have the keys of another's sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedSample {
    /// Which relation; one of the copy's.
    pub relation: String,
    /// The one it follows; one of the copy's.
    pub like: String,
    /// Columns of both.
    pub key: Vec<String>,
}

/// What is wanted of a copy. The definitions are always those of the whole database, but for schema `midwatch`:
/// a table's triggers, types and functions may stand anywhere.
#[derive(Debug, Clone, Default)]
pub struct CopyRequest {
    /// Relations that must be there, as `schema.table`; only they get rows. Partitions come with their parent.
    pub relations: Vec<String>,
    /// Their rows.
    pub rows: Rows,
    /// Relations that follow others.
    pub follow: Vec<KeyedSample>,
    /// Everything is needed: whatever could not be made is told, not only what `relations` lack.
    pub whole_schema: bool,
}

/// Makes copies.
pub trait Copies: Send + Sync {
    /// A copy of the target on a private server, which ends with it.
    fn open<'a>(&'a self, copy: &'a CopyRequest) -> Fut<'a, Result<Box<dyn TargetCopy>>>;
}

/// A copy. The target's applications do not know it: anything may be done to it.
pub trait TargetCopy: Send + Sync {
    /// Looks at it as one looks at the target.
    fn facts(&self) -> Arc<dyn Reader>;
    /// One or more statements, as a role that has all rights of the target's roles and none of the server's, with the
    /// target's search path; several are one transaction.
    fn execute<'a>(&'a self, sql: &'a str) -> Fut<'a, Result<()>>;
    /// What was copied, and what could not be.
    fn summary(&self) -> &str;
    /// What was left out, in words, each with its reason: what fails for want of it says nothing.
    fn lacks(&self) -> &[String];
    /// What of the wanted relations is on the target and not here, and what there fires for any definition: what succeeds
    /// without it says nothing of it.
    fn untried(&self) -> &[String];
}

/// Where nothing can be rehearsed.
#[derive(Debug, Clone, Copy)]
pub struct NoCopies;

impl Copies for NoCopies {
    fn open<'a>(&'a self, _copy: &'a CopyRequest) -> Fut<'a, Result<Box<dyn TargetCopy>>> {
        Box::pin(async { Err(Error::unobserved("failed to copy the target: there is no sandbox here")) })
    }
}
