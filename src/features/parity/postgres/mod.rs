//! What the comparison asks of PostgreSQL: totals by partition and key range, rows that differ, triggers, planted rows.

#![expect(clippy::disallowed_methods, reason = "SQL stands here")]

mod key_ranges;
mod rows;
mod seeding;
mod snapshot;
mod totals;
mod triggers;

use crate::engine::model::error::Result;
use crate::engine::model::profile::Twin;
use crate::engine::model::query::{Param, Sql};
use crate::engine::port::reader::{Fut, ReadTx};
use crate::features::parity::compared::Compared;
use crate::features::parity::facts::SyncTrigger;
use crate::features::parity::pair::TwinTables;
use crate::features::parity::pair::catalog::TwinTable;
use crate::features::parity::pair::partitions::Leaf;
use crate::features::parity::piece::{DifferingPart, KeySpan, KeyText, Piece};
use crate::features::parity::planting::{CopySides, Planting};
use crate::features::parity::sql::ParitySql;

/// PostgreSQL's statements.
pub(crate) struct PostgresParity;

impl ParitySql for PostgresParity {
    fn export_snapshot(&self) -> Sql {
        Sql::new(snapshot::EXPORT)
    }

    fn settings(&self) -> Sql {
        Sql::new(snapshot::SETTINGS)
    }

    fn taken(&self) -> Sql {
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

    fn compile(&self, on: bool) -> Sql {
        totals::compile(on)
    }

    fn legacy_totals(&self, compared: &Compared<'_>, legacy: &TwinTable, piece: &Piece) -> Sql {
        totals::legacy(compared, legacy, piece)
    }

    fn leaf_totals(&self, compared: &Compared<'_>, leaves: &[&Leaf], keys: KeySpan) -> Sql {
        totals::leaves(compared, leaves, keys)
    }

    fn shape(&self, legacy: &TwinTable, partitioned: &TwinTable, column: &str) -> Sql {
        key_ranges::shape(legacy, partitioned, column)
    }

    fn ends(&self, table: &TwinTable, column: &str) -> Sql {
        key_ranges::ends(table, column)
    }

    fn differing_keys(&self, compared: &Compared<'_>, part: &DifferingPart<'_>, limit: usize) -> Sql {
        rows::differing(compared, part, limit)
    }

    fn count_differing_keys(&self, compared: &Compared<'_>, part: &DifferingPart<'_>) -> Sql {
        rows::count(compared, part)
    }

    fn legacy_by_key(&self, compared: &Compared<'_>, keys: &[KeyText]) -> Sql {
        rows::legacy_by_key(compared, keys)
    }

    fn leaves_by_key(&self, compared: &Compared<'_>, leaves: &[&Leaf], keys: &[KeyText]) -> Sql {
        rows::leaves_by_key(compared, leaves, keys)
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
