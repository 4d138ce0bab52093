//! A retired table between the two cleanups: put away under another name, not dropped yet.

use crate::engine::model::query::ProfileSql;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::engine::journal;
use crate::engine::model::error::Result;
use crate::engine::model::name::Relation;
use crate::engine::model::profile::Twin;
use crate::engine::model::query::Param;
use crate::engine::plan::operation::ALL;
use crate::engine::port::reader::{ReadOptions, Reader};
use crate::features::parity::pair::retired_name;

/// Where it is, and what brings it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetiredTable {
    /// What it is called.
    pub table: String,
    /// The run that put it away, where the journal has it.
    pub run: Option<String>,
    /// When that was.
    pub since: Option<DateTime<Utc>>,
    /// Why the journal could not be read.
    pub unread: Option<String>,
}

impl RetiredTable {
    /// What brings it back, and what is lost by that.
    pub fn way_back(&self) -> String {
        match (&self.run, &self.unread) {
            (Some(run), _) => {
                format!("lossy: midwatch undo {run} brings it back, without what was written meanwhile")
            }
            (None, Some(why)) => format!("what brings it back is unknown: {why}"),
            (None, None) => "the journal has no cleanup of it, so nothing here brings it back".into(),
        }
    }
}

/// The operation that gives a retired table the name of one that waits to be dropped. The name of the table is made
/// here, so the verb is as well: the journal is asked for its runs.
pub const PUTS_AWAY: &str = "cleanup";

/// What a retired table is called while it waits to be dropped.
pub(crate) fn away_name(twin: &Twin) -> Relation {
    Relation {
        schema: retired_name(twin).schema,
        name: format!("{}_to_drop", Relation::parse(&twin.legacy).name),
    }
}

/// The retired table of a twin that was cleaned up, while it is still there.
pub(crate) async fn find_retired(facts: &dyn Reader, twin: &Twin) -> Result<Option<RetiredTable>> {
    let table = away_name(twin);
    let there = "select pg_catalog.to_regclass($1)::pg_catalog.text";
    let mut tx = facts.begin(ReadOptions::default()).await?;
    let found = tx.texts(&ProfileSql::names(there).bind([Param::Text(Some(table.to_string()))])).await?;
    drop(tx);
    if found.into_iter().flatten().next().is_none() {
        return Ok(None);
    }
    let covers = |name: &str| name == ALL || name.split(',').any(|n| n == twin.name());
    let (run, unread) = match journal::runs::standing(facts, PUTS_AWAY).await {
        Ok(runs) => (runs.into_iter().find(|r| covers(&r.name)), None),
        Err(e) => (None, Some(e.message)),
    };
    let since = run.as_ref().and_then(|r| r.ended_at);
    Ok(Some(RetiredTable { table: table.brief(), run: run.map(|r| r.id), since, unread }))
}
