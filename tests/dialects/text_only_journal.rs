//! The journal and look-ups in the text-only dialect: what makes the journal is text, and so is what reads it.

use midwatch::engine::model::diff::PlannedRow;
use midwatch::engine::model::error::Result;
use midwatch::engine::model::event::Event;
use midwatch::engine::model::foreign_cast::ForeignCast;
use midwatch::engine::model::installation::Installation;
use midwatch::engine::model::journal_state::JournalState;
use midwatch::engine::model::name::Relation;
use midwatch::engine::model::preflight::{Preflight, Ready, Verification};
use midwatch::engine::model::query::{OtherFunction, Param, ProfileSql, Sql};
use midwatch::engine::model::record::{Altered, RunRecord};
use midwatch::engine::plan::operation::lock;
use midwatch::engine::port::journal_sql::{
    AlteredRows, EventFilter, Install, InstallStep, JournalSql, Measured, RunFilter, SameRequest,
};
use midwatch::engine::port::lookup::{Lookup, Watchable};
use midwatch::engine::port::reader::{Fut, ReadTx};

use crate::text_only::{TextOnly, quote};

const FILE: &str = "001_journal.sql";

fn nothing<'a, T: Default + Send + 'a>() -> Fut<'a, Result<T>> {
    Box::pin(async { Ok(T::default()) })
}

impl Lookup for TextOnly {
    fn resolve<'a>(&'a self, _: &'a mut dyn ReadTx, _: &'a [Relation]) -> Fut<'a, Result<bool>> {
        nothing()
    }
    fn exists<'a>(&'a self, _: &'a mut dyn ReadTx, _: &'a Relation) -> Fut<'a, Result<bool>> {
        nothing()
    }
    fn unreadable<'a>(&'a self, _: &'a mut dyn ReadTx, _: &'a [Relation]) -> Fut<'a, Result<Vec<String>>> {
        nothing()
    }
    fn foreign_casts<'a>(
        &'a self,
        _: &'a mut dyn ReadTx,
        _: &'a [Relation],
    ) -> Fut<'a, Result<Vec<ForeignCast>>> {
        nothing()
    }
    fn functions_named<'a>(
        &'a self,
        _: &'a mut dyn ReadTx,
        _: &'a [String],
    ) -> Fut<'a, Result<Vec<OtherFunction>>> {
        nothing()
    }
    fn reader_hint(&self) -> &'static str {
        "ask the owner"
    }
    fn watchable<'a>(&'a self, _: &'a mut dyn ReadTx) -> Fut<'a, Result<Vec<Watchable>>> {
        nothing()
    }
    fn setting(&self, name: &str) -> Sql {
        Sql::new(format!("select @@{}", quote(name)))
    }
    fn words(&self, query: &str, limit: u32) -> ProfileSql {
        ProfileSql::new(format!("select q.* from ({query}) q limit {limit}"))
    }
}

impl JournalSql for TextOnly {
    fn runs_begun<'a>(&'a self, _: &'a mut dyn ReadTx) -> Fut<'a, Result<Vec<(String, u64)>>> {
        nothing()
    }
    fn strays<'a>(&'a self, _: &'a mut dyn ReadTx) -> Fut<'a, Result<Vec<String>>> {
        nothing()
    }
    fn first_signed<'a>(&'a self, _: &'a mut dyn ReadTx) -> Fut<'a, Result<Option<i64>>> {
        nothing()
    }
    fn chain_break<'a>(&'a self, _: &'a mut dyn ReadTx, _: i64) -> Fut<'a, Result<Option<i64>>> {
        nothing()
    }
    fn first_entries<'a>(&'a self, _: &'a mut dyn ReadTx) -> Fut<'a, Result<Vec<(String, i64)>>> {
        nothing()
    }
    fn installations<'a>(&'a self, _: &'a mut dyn ReadTx) -> Fut<'a, Result<Vec<Installation>>> {
        nothing()
    }
    /// Each table by itself: this dialect has no transactions for them.
    fn install(&self, pending: &[String], operators: &[String]) -> Result<Install> {
        let missing = |title: &str| Verification {
            title: title.into(),
            sql: format!("select name from `wanted` where name = '{title}'"),
            own: true,
        };
        let tables = pending.iter().flat_map(|file| {
            ["midwatch_runs", "midwatch_events"].map(|table| InstallStep {
                title: format!("{file}: {table}"),
                statements: vec![format!("create table {} (id bigint primary key)", quote(table))],
                probe: missing(table),
            })
        });
        let grants = operators.iter().map(|role| InstallStep {
            title: format!("privileges of {role}"),
            statements: vec![format!("grant all on `midwatch_runs` to {}", quote(role))],
            probe: missing(role),
        });
        let steps: Vec<_> = tables.chain(grants).collect();
        let revoke = || format!("revoke all on `midwatch_runs` from {}", operators.join(", "));
        Ok(Install {
            verify: steps.iter().map(|s| s.probe.clone()).collect(),
            steps,
            locks: pending.iter().map(|_| lock("its new tables", "metadata lock")).collect(),
            revoke: pending.is_empty().then(revoke),
        })
    }
    fn may_install<'a>(
        &'a self,
        _: &'a mut dyn ReadTx,
        _role: &'a str,
        _pending: &'a [String],
    ) -> Fut<'a, Result<Preflight>> {
        Box::pin(async { Ok(Preflight::new("journal", Ready::Ok, "no schema is needed")) })
    }
    fn unknown_grantees<'a>(
        &'a self,
        _: &'a mut dyn ReadTx,
        _: &'a [String],
    ) -> Fut<'a, Result<Vec<String>>> {
        nothing()
    }
    fn state<'a>(&'a self, tx: &'a mut dyn ReadTx) -> Fut<'a, Result<JournalState>> {
        Box::pin(async {
            let files = tx.texts(&Sql::new("select file from `midwatch_files`")).await?;
            Ok(match files.as_slice() {
                [] => JournalState::Missing { pending: vec![FILE.into()] },
                _ => JournalState::Ready,
            })
        })
    }
    fn runs<'a>(&'a self, tx: &'a mut dyn ReadTx, of: &'a RunFilter) -> Fut<'a, Result<Vec<RunRecord>>> {
        let sql = match of {
            RunFilter::Id(id) => Sql::new("select * from `midwatch_runs` where id = ?")
                .bind([Param::Text(Some(id.to_string()))]),
            RunFilter::Renaming { .. } => Sql::new("select * from `midwatch_runs` where renames is not null"),
            _ => Sql::new("select * from `midwatch_runs` where outcome = 'running'"),
        };
        Box::pin(async move { tx.fetch(&sql).await })
    }
    fn run_ids<'a>(&'a self, _: &'a mut dyn ReadTx, _: &'a RunFilter) -> Fut<'a, Result<Vec<String>>> {
        nothing()
    }
    fn count<'a>(&'a self, _: &'a mut dyn ReadTx, _before: i64) -> Fut<'a, Result<(u64, u64)>> {
        nothing()
    }
    fn step<'a>(&'a self, _: &'a mut dyn ReadTx, _run: &'a str) -> Fut<'a, Result<Option<usize>>> {
        nothing()
    }
    fn plan_text<'a>(&'a self, tx: &'a mut dyn ReadTx, run: &'a str) -> Fut<'a, Result<Option<String>>> {
        let sql = Sql::new("select plan from `midwatch_runs` where id = ?").bind([Param::from(run)]);
        Box::pin(async move { Ok(tx.texts(&sql).await?.pop().flatten()) })
    }
    fn plan_texts<'a>(
        &'a self,
        _: &'a mut dyn ReadTx,
        _runs: &'a [i64],
    ) -> Fut<'a, Result<Vec<(i64, String)>>> {
        nothing()
    }
    fn drifted<'a>(
        &'a self,
        _: &'a mut dyn ReadTx,
        _run: &'a str,
        _limit: u32,
    ) -> Fut<'a, Result<Vec<PlannedRow>>> {
        nothing()
    }
    fn measured<'a>(
        &'a self,
        _: &'a mut dyn ReadTx,
        _: &'a SameRequest,
    ) -> Fut<'a, Result<Option<Measured>>> {
        nothing()
    }
    fn events<'a>(&'a self, tx: &'a mut dyn ReadTx, of: &'a EventFilter) -> Fut<'a, Result<Vec<Event>>> {
        let of = [&of.run, &of.kind].map(|t| Param::Text(t.clone()));
        let sql = Sql::new("select * from `midwatch_events` where run = ? and kind = ?").bind(of);
        Box::pin(async move { tx.fetch(&sql).await })
    }
    fn head<'a>(&'a self, _: &'a mut dyn ReadTx) -> Fut<'a, Result<Option<(i64, String)>>> {
        nothing()
    }
    fn altered<'a>(&'a self, _: &'a mut dyn ReadTx, _: Option<&'a str>) -> Fut<'a, Result<Vec<Altered>>> {
        nothing()
    }
    fn altered_rows<'a>(&'a self, _: &'a mut dyn ReadTx, _: Option<&'a str>) -> Fut<'a, Result<AlteredRows>> {
        nothing()
    }
}
