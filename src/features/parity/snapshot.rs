//! The transactions a comparison reads in: one holds the snapshot, others share it.

use std::time::Duration;

use serde::Deserialize;

use crate::engine::check::kind::CheckCx;
use crate::engine::model::comparison::KeySpan;
use crate::engine::model::error::Result;
use crate::engine::port::compare_sql::CompareSql;
use crate::engine::port::reader::{ReadOptions, ReadTx, Snapshot};
use crate::features::parity::dialects;
use crate::features::parity::sql::ParitySql;

/// A full scan of a large table may take this long: paced, and of a key that no index cuts into pieces, a billion rows.
const TIMEOUT: Duration = Duration::from_hours(3);

/// Where further transactions of the same snapshot come from.
pub(crate) struct SnapshotSource<'a> {
    cx: &'a CheckCx<'a>,
    /// The target's statements.
    pub(crate) sql: &'static dyn ParitySql,
    /// Its statements over rows.
    pub(crate) rows: &'static dyn CompareSql,
    taken: SnapshotInfo,
    /// Others are at work: one side is read after the other.
    busy: bool,
}

/// A snapshot, by name.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct SnapshotInfo {
    /// As exported; `None`: it cannot be shared.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// Which transactions it sees.
    pub(crate) sees: String,
    /// When, by the server's clock.
    pub(crate) at: String,
}

#[derive(Deserialize)]
struct Age {
    seconds: f64,
}

impl<'a> SnapshotSource<'a> {
    /// The transaction whose snapshot everything is compared in, exported so that others can share it.
    pub(crate) async fn hold(cx: &'a CheckCx<'a>) -> Result<(Box<dyn ReadTx>, Self)> {
        let sql = dialects::sql(cx.facts.dialect())?;
        let options =
            ReadOptions { snapshot: Snapshot::Transaction, timeout: Some(TIMEOUT), ..ReadOptions::default() };
        let mut tx = cx.read_with(options.clone()).await?;
        let alone = cx.server.abilities.shared_snapshot.lacking().is_some();
        let name = if alone {
            None
        } else if let Ok(id) = tx.texts(&sql.export_snapshot()).await {
            id.into_iter().next().flatten()
        } else {
            // A refusal ends the transaction; one transaction alone still is one snapshot.
            drop(tx);
            tx = cx.read_with(options).await?;
            None
        };
        let rows: &dyn CompareSql = cx.dialect();
        settings(&mut *tx, rows).await?;
        let taken: SnapshotInfo = tx.one(&sql.snapshot_taken()).await?;
        let mut source = Self { cx, sql, rows, taken: SnapshotInfo { name, ..taken }, busy: true };
        source.look_around(&mut *tx).await?;
        Ok((tx, source))
    }

    /// Are others at work now?
    pub(crate) async fn look_around(&mut self, tx: &mut dyn ReadTx) -> Result<()> {
        // A transaction keeps what it once saw of the sessions.
        tx.texts(&self.sql.refresh_sessions()).await?;
        self.busy = tx.texts(&self.sql.busy()).await?.first().and_then(|t| t.as_deref()) != Some("false");
        Ok(())
    }

    /// Keys as they are read beside others.
    pub(crate) fn paced(&self, keys: KeySpan) -> KeySpan {
        KeySpan { paced: self.busy, ..keys }
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

    pub(crate) fn taken(&self) -> &SnapshotInfo {
        &self.taken
    }

    /// Another transaction on the same snapshot.
    pub(crate) async fn follow(&self) -> Result<Box<dyn ReadTx>> {
        let snapshot = self.taken.name.clone().map_or(Snapshot::Transaction, Snapshot::Import);
        let options = ReadOptions { snapshot, timeout: Some(TIMEOUT), ..ReadOptions::default() };
        let mut tx = self.cx.read_with(options).await?;
        settings(&mut *tx, self.rows).await?;
        Ok(tx)
    }
}

async fn settings(tx: &mut dyn ReadTx, rows: &dyn CompareSql) -> Result<()> {
    if let Some(settings) = rows.comparison_settings() {
        tx.texts(&settings).await?;
    }
    Ok(())
}

/// How long a transaction has been open, by the server's clock.
pub(crate) async fn age(tx: &mut dyn ReadTx, sql: &dyn ParitySql) -> Result<Duration> {
    let Age { seconds } = tx.one(&sql.age()).await?;
    Ok(Duration::from_secs_f64(seconds.max(0.0)))
}
