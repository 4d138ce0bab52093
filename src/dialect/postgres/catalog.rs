//! PostgreSQL's catalog.

use crate::dialect::postgres::{Postgres, blockers};
use crate::engine::model::blocker::Blocker;
use crate::engine::model::error::Result;
use crate::engine::port::catalog::{Catalog, WantedLocks};
use crate::engine::port::reader::{Fut, ReadTx};

impl Catalog for Postgres {
    fn blockers<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        wanted: &'a WantedLocks<'a>,
    ) -> Fut<'a, Result<Vec<Blocker>>> {
        Box::pin(async move { tx.fetch(&blockers::query(wanted)).await })
    }
}
