//! What the comparison asks of PostgreSQL: snapshots, triggers, planted rows.

#![expect(clippy::disallowed_methods, reason = "SQL stands here")]

mod seeding;
mod snapshot;
mod triggers;

use crate::engine::model::error::Result;
use crate::engine::model::profile::Twin;
use crate::engine::model::query::{Param, Sql};
use crate::engine::port::reader::{Fut, ReadTx};
use crate::features::parity::facts::SyncTrigger;
use crate::features::parity::pair::TwinTables;
use crate::features::parity::planting::{CopySides, Planting};
use crate::features::parity::sql::ParitySql;

/// PostgreSQL's statements.
pub(crate) struct PostgresParity;

impl ParitySql for PostgresParity {
    fn export_snapshot(&self) -> Sql {
        Sql::new(snapshot::EXPORT)
    }

    fn snapshot_taken(&self) -> Sql {
        Sql::new(snapshot::TAKEN)
    }

    fn refresh_sessions(&self) -> Sql {
        Sql::new(snapshot::REFRESH_SESSIONS)
    }

    fn busy(&self) -> Sql {
        Sql::new(snapshot::BUSY)
    }

    fn age(&self) -> Sql {
        Sql::new(snapshot::AGE)
    }

    fn is_after(&self, sees: &str) -> Sql {
        Sql::new(snapshot::AFTER).bind([Param::from(sees)])
    }

    fn triggers<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        pair: &'a TwinTables,
        twin: &'a Twin,
    ) -> Fut<'a, Result<Vec<SyncTrigger>>> {
        Box::pin(triggers::read(tx, pair, twin))
    }

    fn level(&self, sides: &CopySides<'_>, wanted: usize) -> Result<Vec<Sql>> {
        seeding::level(sides, wanted)
    }

    fn first_keys(&self, sides: &CopySides<'_>, wanted: usize) -> Sql {
        seeding::first_keys(sides, wanted)
    }

    fn plant(&self, sides: &CopySides<'_>, keys: Vec<Vec<String>>) -> (Vec<Sql>, Planting) {
        seeding::plant(sides, keys)
    }

    fn analyze(&self, sides: &CopySides<'_>) -> Sql {
        seeding::analyze(sides)
    }
}
