//! The only sessions that write on a target, opened for an approved plan.

use super::connect::Connection;
use crate::engine::guard::Approved;
use crate::engine::ports::Fut;
use crate::engine::writer::{Terms, Writer, Writers};
use crate::engine::{Error, Result};

/// Opens writers on one database.
pub struct PgWriters {
    connection: Connection,
}

impl PgWriters {
    /// Does not connect yet.
    pub fn new(connection: Connection) -> Self {
        Self { connection }
    }
}

impl Writers for PgWriters {
    fn open<'a>(&'a self, approved: &'a Approved, terms: &'a Terms) -> Fut<'a, Result<Box<dyn Writer>>> {
        let _ = (approved, terms, &self.connection);
        Box::pin(async { Err(Error::usage("not yet")) })
    }
}
