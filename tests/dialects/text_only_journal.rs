//! The journal and look-ups in the text-only dialect: what makes the journal is text, and nothing is there to read.

use midwatch::engine::model::diff::PlannedRow;
use midwatch::engine::model::error::Result;
use midwatch::engine::model::event::Event;
use midwatch::engine::model::name::Relation;
use midwatch::engine::model::preflight::{Preflight, Ready, Verification};
use midwatch::engine::model::query::{ProfileSql, Sql};
use midwatch::engine::model::record::{Altered, JournalState, RunRecord};
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
    /// Each table by itself: this dialect has no transactions for them.
    fn install(&self, pending: &[String], _operators: &[String]) -> Result<Install> {
        let steps = pending.iter().flat_map(|file| {
            ["midwatch_runs", "midwatch_events"].map(|table| InstallStep {
                title: format!("{file}: {table}"),
                statements: vec![format!("create table {} (id bigint primary key)", quote(table))],
                probe: Verification {
                    title: table.into(),
                    sql: format!("select 1 where not exists ({table})"),
                },
            })
        });
        Ok(Install { steps: steps.collect(), ..Install::default() })
    }
    fn may_install<'a>(
        &'a self,
        _: &'a mut dyn ReadTx,
        _role: &'a str,
        _pending: &'a [String],
    ) -> Fut<'a, Result<Preflight>> {
        Box::pin(async { Ok(Preflight::new("journal", Ready::Ok, "no schema is needed")) })
    }
    fn unknown_roles<'a>(&'a self, _: &'a mut dyn ReadTx, _: &'a [String]) -> Fut<'a, Result<Vec<String>>> {
        nothing()
    }
    fn state<'a>(&'a self, _: &'a mut dyn ReadTx) -> Fut<'a, Result<JournalState>> {
        Box::pin(async { Ok(JournalState::Missing { pending: vec![FILE.into()] }) })
    }
    fn runs<'a>(&'a self, _: &'a mut dyn ReadTx, _: &'a RunFilter) -> Fut<'a, Result<Vec<RunRecord>>> {
        nothing()
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
    fn plan_text<'a>(&'a self, _: &'a mut dyn ReadTx, _run: &'a str) -> Fut<'a, Result<Option<String>>> {
        nothing()
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
    fn events<'a>(&'a self, _: &'a mut dyn ReadTx, _: &'a EventFilter) -> Fut<'a, Result<Vec<Event>>> {
        nothing()
    }
    fn head<'a>(&'a self, _: &'a mut dyn ReadTx) -> Fut<'a, Result<Option<(i64, String)>>> {
        nothing()
    }
    fn altered<'a>(&'a self, _: &'a mut dyn ReadTx, _: Option<&'a str>) -> Fut<'a, Result<Vec<Altered>>> {
        nothing()
    }
    fn altered_rows<'a>(&'a self, _: &'a mut dyn ReadTx) -> Fut<'a, Result<AlteredRows>> {
        nothing()
    }
}

#[test]
fn what_makes_the_journal_is_text_with_a_probe_for_each_statement() {
    let made = TextOnly.install(&[FILE.into()], &[]).unwrap();
    assert_eq!(made.statements()[0], "create table `midwatch_runs` (id bigint primary key)");
    assert!(made.steps.iter().all(|s| s.statements.len() == 1 && !s.probe.sql.is_empty()));
}
