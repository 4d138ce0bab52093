//! The journal's tables in PostgreSQL: each method is a function of `journal/`.

use super::journal::{entries, install, runs, state};
use crate::dialect::postgres::Postgres;
use crate::engine::model::diff::PlannedRow;
use crate::engine::model::error::Result;
use crate::engine::model::event::Event;
use crate::engine::model::installation::Installation;
use crate::engine::model::journal_state::JournalState;
use crate::engine::model::preflight::Preflight;
use crate::engine::model::record::{Altered, RunRecord};
use crate::engine::port::journal_sql::{
    AlteredRows, EventFilter, Install, JournalSql, Measured, RunFilter, SameRequest,
};
use crate::engine::port::reader::{Fut, ReadTx};

impl JournalSql for Postgres {
    fn install(&self, pending: &[String], operators: &[String]) -> Result<Install> {
        install::install(pending, operators)
    }

    fn may_install<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        role: &'a str,
        pending: &'a [String],
    ) -> Fut<'a, Result<Preflight>> {
        Box::pin(install::may_install(tx, role, pending))
    }

    fn unknown_grantees<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        roles: &'a [String],
    ) -> Fut<'a, Result<Vec<String>>> {
        Box::pin(install::unknown_grantees(tx, roles))
    }

    fn state<'a>(&'a self, tx: &'a mut dyn ReadTx) -> Fut<'a, Result<JournalState>> {
        Box::pin(state::state(tx))
    }

    fn readable<'a>(&'a self, tx: &'a mut dyn ReadTx) -> Fut<'a, Result<()>> {
        Box::pin(state::readable(tx))
    }

    fn runs<'a>(&'a self, tx: &'a mut dyn ReadTx, filter: &'a RunFilter) -> Fut<'a, Result<Vec<RunRecord>>> {
        Box::pin(runs::runs(tx, filter))
    }

    fn run_ids<'a>(&'a self, tx: &'a mut dyn ReadTx, filter: &'a RunFilter) -> Fut<'a, Result<Vec<String>>> {
        Box::pin(runs::run_ids(tx, filter))
    }

    fn count<'a>(&'a self, tx: &'a mut dyn ReadTx, before: i64) -> Fut<'a, Result<(u64, u64)>> {
        Box::pin(runs::count(tx, before))
    }

    fn step<'a>(&'a self, tx: &'a mut dyn ReadTx, run: &'a str) -> Fut<'a, Result<Option<usize>>> {
        Box::pin(runs::step(tx, run))
    }

    fn plan_text<'a>(&'a self, tx: &'a mut dyn ReadTx, run: &'a str) -> Fut<'a, Result<Option<String>>> {
        Box::pin(runs::plan_text(tx, run))
    }

    fn plan_texts<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        runs: &'a [i64],
    ) -> Fut<'a, Result<Vec<(i64, String)>>> {
        Box::pin(runs::plan_texts(tx, runs))
    }

    fn drifted<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        run: &'a str,
        limit: u32,
    ) -> Fut<'a, Result<Vec<PlannedRow>>> {
        Box::pin(runs::drifted(tx, run, limit))
    }

    fn measured<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        same: &'a SameRequest,
    ) -> Fut<'a, Result<Option<Measured>>> {
        Box::pin(runs::measured(tx, same))
    }

    fn events<'a>(&'a self, tx: &'a mut dyn ReadTx, filter: &'a EventFilter) -> Fut<'a, Result<Vec<Event>>> {
        Box::pin(entries::events(tx, filter))
    }

    fn installations<'a>(&'a self, tx: &'a mut dyn ReadTx) -> Fut<'a, Result<Vec<Installation>>> {
        Box::pin(entries::installations(tx))
    }

    fn runs_begun<'a>(&'a self, tx: &'a mut dyn ReadTx) -> Fut<'a, Result<Vec<(String, u64)>>> {
        Box::pin(entries::runs_begun(tx))
    }

    fn head<'a>(&'a self, tx: &'a mut dyn ReadTx) -> Fut<'a, Result<Option<(i64, String)>>> {
        Box::pin(entries::head(tx))
    }

    fn altered<'a>(&'a self, tx: &'a mut dyn ReadTx, run: Option<&'a str>) -> Fut<'a, Result<Vec<Altered>>> {
        Box::pin(entries::altered(tx, run))
    }

    fn altered_rows<'a>(
        &'a self,
        tx: &'a mut dyn ReadTx,
        run: Option<&'a str>,
    ) -> Fut<'a, Result<AlteredRows>> {
        Box::pin(entries::altered_rows(tx, run))
    }

    fn strays<'a>(&'a self, tx: &'a mut dyn ReadTx) -> Fut<'a, Result<Vec<String>>> {
        Box::pin(entries::strays(tx))
    }

    fn first_signed<'a>(&'a self, tx: &'a mut dyn ReadTx) -> Fut<'a, Result<Option<i64>>> {
        Box::pin(entries::first_signed(tx))
    }

    fn chain_break<'a>(&'a self, tx: &'a mut dyn ReadTx, from: i64) -> Fut<'a, Result<Option<i64>>> {
        Box::pin(entries::chain_break(tx, from))
    }

    fn first_entries<'a>(&'a self, tx: &'a mut dyn ReadTx) -> Fut<'a, Result<Vec<(String, i64)>>> {
        Box::pin(entries::first_entries(tx))
    }
}
