//! The transactions a comparison reads in: one holds the snapshot, others share it.

use crate::engine::model::query::Sql;
use std::time::Duration;

use serde::Deserialize;

use crate::engine::check::kind::Cx;
use crate::engine::model::error::Result;
use crate::engine::port::reader::{ReadOptions, ReadTx, Snapshot};

/// A full scan of a large table may take this long: paced, and of a key that no index cuts into pieces, a billion rows.
const TIMEOUT: Duration = Duration::from_hours(3);

// Gentle: no parallel workers. Groups are hashed: sorted they spill. Statements are many and short where there are many
// partitions, so compiling each costs more than it saves. The holder waits for those that share its snapshot.
const SETTINGS: &str = "
select set_config('jit', 'off', true) || set_config('enable_sort', 'off', true)
    || set_config('max_parallel_workers_per_gather', '0', true) || set_config('work_mem', '32MB', true)
    || set_config('idle_in_transaction_session_timeout', '10800000', true)";

/// Where others are at work, a reading sleeps a millisecond about every 512 rows: it never holds a processor long enough
/// for a writer to notice, and one statement that pauses costs the server less than many. By the row's place, which every
/// table has; keys may be all odd.
const PAUSES: &str = "(hashtid(ctid) & 511 <> 0 or pg_sleep(0.001) is not null)";

/// Where further transactions of the same snapshot come from.
pub(crate) struct Source<'a> {
    cx: &'a Cx<'a>,
    taken: Taken,
    /// Others are at work: one side is read after the other.
    busy: bool,
}

/// A snapshot, by name.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Taken {
    /// As exported; `None`: it cannot be shared.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// `pg_current_snapshot()`: which transactions it sees.
    pub(crate) sees: String,
    /// When, by the server's clock.
    pub(crate) at: String,
}

const TAKEN: &str = "select pg_current_snapshot()::text as sees, \
                     to_char(now() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as at";

// Whose activity may not be seen counts as active.
const BUSY: &str = "
select (count(*) > 0)::text from pg_stat_activity
where backend_type = 'client backend' and pid <> pg_backend_pid() and application_name not like 'midwatch/%'
  and (state_change is null or state_change > clock_timestamp() - interval '1 second' or state = 'active')";

#[derive(Deserialize)]
struct Age {
    seconds: f64,
}

impl<'a> Source<'a> {
    /// The transaction whose snapshot everything is compared in, exported so that others can share it.
    pub(crate) async fn hold(cx: &'a Cx<'a>) -> Result<(Box<dyn ReadTx>, Self)> {
        let options =
            ReadOptions { snapshot: Snapshot::Transaction, timeout: Some(TIMEOUT), ..ReadOptions::default() };
        let mut tx = cx.read_with(options.clone()).await?;
        let name = if let Ok(id) = tx.texts(&Sql::new("select pg_export_snapshot()")).await {
            id.into_iter().next().flatten()
        } else {
            // A refusal ends the transaction; one transaction alone still is one snapshot.
            drop(tx);
            tx = cx.read_with(options).await?;
            None
        };
        tx.texts(&Sql::new(SETTINGS)).await?;
        let taken: Taken = tx.one(&Sql::new(TAKEN)).await?;
        let mut source = Self { cx, taken: Taken { name, ..taken }, busy: true };
        source.look_around(&mut *tx).await?;
        Ok((tx, source))
    }

    /// Are others at work now?
    pub(crate) async fn look_around(&mut self, tx: &mut dyn ReadTx) -> Result<()> {
        // A transaction keeps what it once saw of the sessions.
        tx.texts(&Sql::new("select pg_stat_clear_snapshot()::text")).await?;
        self.busy = tx.texts(&Sql::new(BUSY)).await?.first().and_then(|t| t.as_deref()) != Some("false");
        Ok(())
    }

    /// A condition on rows, as it is read beside others.
    pub(crate) fn paced(&self, keys: String) -> String {
        if self.busy { format!("{keys} and {PAUSES}") } else { keys }
    }

    pub(crate) fn snapshot(&self) -> Option<&str> {
        self.taken.name.as_deref()
    }

    /// Both sides at once?
    pub(crate) fn both(&self) -> bool {
        self.taken.name.is_some() && !self.busy
    }

    /// Were others at work when it was last looked?
    pub(crate) fn busy(&self) -> bool {
        self.busy
    }

    pub(crate) fn taken(&self) -> &Taken {
        &self.taken
    }

    /// Another transaction on the same snapshot.
    pub(crate) async fn follow(&self) -> Result<Box<dyn ReadTx>> {
        let snapshot = self.taken.name.clone().map_or(Snapshot::Transaction, Snapshot::Import);
        let options = ReadOptions { snapshot, timeout: Some(TIMEOUT), ..ReadOptions::default() };
        let mut tx = self.cx.read_with(options).await?;
        tx.texts(&Sql::new(SETTINGS)).await?;
        Ok(tx)
    }
}

/// How long a transaction has been open, by the server's clock.
pub(crate) async fn age(tx: &mut dyn ReadTx) -> Result<Duration> {
    let sql = "select extract(epoch from clock_timestamp() - now())::float8 as seconds";
    let Age { seconds } = tx.one(&Sql::new(sql)).await?;
    Ok(Duration::from_secs_f64(seconds.max(0.0)))
}
