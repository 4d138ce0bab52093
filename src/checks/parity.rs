//! Is the partitioned twin equal to its legacy table? All common columns, by name, NULL-safe, in one snapshot.
//!
//! Counts and 64-bit digests per partition first; only partitions that differ are read again, down to
//! rows and columns. The verdict is "equal by count and 64-bit digests", not "proved".

mod digest;
mod findings;

mod rows;
mod sum;
mod triggers;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::ident::Relation;
use crate::engine::ports::{Fut, ReadOptions, ReadTx, Snapshot};
use crate::engine::profile::{Profile, Twin};
use crate::engine::twin::{Pair, Standing, catalog, pair as find_pair, partitions};
use crate::engine::{Check, CheckId, CheckSpec, Cx, Error, Report, Result};

pub(super) struct Parity;

static SPEC: CheckSpec = CheckSpec {
    kind: "parity",
    title: "Parity",
    about: "legacy tables against their partitioned twins, row by row, in one snapshot",
    every: Duration::from_secs(15),
};

/// A full scan of two large tables may take this long.
const TIMEOUT: Duration = Duration::from_mins(30);

/// Leaves that are read row by row at most: in one statement, whose locks and plan grow with each.
const READ_LEAVES: usize = 200;

/// A partition of the twin and the legacy rows that belong there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// Its name.
    pub partition: String,
    /// Legacy rows that belong there; null where the partitioning cannot be computed for them.
    pub legacy_rows: Option<u64>,
    /// Rows it holds.
    pub partitioned_rows: Option<u64>,
    /// `equal`, `counts equal` (rows not compared), `differs`, `missing` (rows without a partition), `not compared`.
    pub status: String,
}

/// A trigger that keeps the twin in step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// `enabled`, `always`, `conditional` (fires for some rows or columns only), `replica`, `disabled`, `missing`.
    pub state: String,
    /// `INSERT`, `UPDATE`, `DELETE`, `TRUNCATE`.
    pub events: Vec<String>,
    /// Of these, the ones that it fires for in part.
    #[serde(default)]
    pub partial: Vec<String>,
    /// `when …` or `for updates of …`.
    #[serde(default)]
    pub only: Option<String>,
    /// Columns that its function writes to the twin and the twin lacks.
    #[serde(default)]
    pub unknown_columns: Vec<String>,
}

/// A column's sum on both sides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Of the legacy table.
    pub legacy: Option<String>,
    /// Of the twin.
    pub partitioned: Option<String>,
}

/// A sequence that numbers a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// The twin's column.
    #[serde(default)]
    pub column: String,
    /// Its name.
    pub name: String,
    /// Last number given out; null: none yet, or not readable.
    pub last: Option<i64>,
    /// The role may see its position.
    pub readable: bool,
    /// Largest number in the twin; null: none, or not a number.
    pub max: Option<i64>,
}

/// The facts of a pair of tables.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Rows of the legacy table; null: no legacy table is declared.
    pub legacy_rows: Option<u64>,
    /// Rows of the twin.
    pub partitioned_rows: Option<u64>,
    /// Legacy rows that the twin lacks; this and the next four are null where rows were not compared.
    pub missing_in_partitioned: Option<u64>,
    /// Twin rows that the legacy table lacks.
    pub missing_in_legacy: Option<u64>,
    /// Rows on both sides with different values.
    pub different: Option<u64>,
    /// Old copies of rows that have moved to another partition key.
    pub stale: Option<u64>,
    /// Second rows with the same key.
    pub duplicate: Option<u64>,
    /// Sums by column.
    pub sums: BTreeMap<String, Sums>,
    /// Who answers to the legacy table's name.
    #[serde(default)]
    pub standing: Standing,
    /// The snapshot that everything was compared in.
    pub snapshot: Option<String>,
    /// What was compared, in words.
    pub compared: String,
    /// Columns compared.
    pub columns: Vec<String>,
    /// Partitions in order.
    pub partitions: Vec<Partition>,
    /// Triggers that mirror.
    pub triggers: Vec<Trigger>,
    /// The twin's sequence: the first of all, that of the key where it has one.
    pub sequence: Option<Sequence>,
    /// All sequences of the twin.
    #[serde(default)]
    pub sequences: Vec<Sequence>,
    /// Keys that differ, or hold NULL, and were not looked at one by one.
    pub not_classified: u64,
    /// Partitions that differ and whose rows were not read one by one.
    pub partitions_not_read: u64,
}

impl Facts {
    /// Rows that are not equal; `None` where rows were not compared.
    pub fn differences(&self) -> Option<u64> {
        let by_class = self.missing_in_partitioned?
            + self.missing_in_legacy?
            + self.different?
            + self.stale?
            + self.duplicate?;
        Some(by_class + self.not_classified + self.partitions_not_read)
    }
}

impl Check for Parity {
    fn spec(&self) -> &'static CheckSpec {
        &SPEC
    }

    fn names(&self, profile: &Profile) -> Vec<String> {
        profile
            .twins
            .iter()
            .map(|t| t.name().to_owned())
            .chain(profile.partitioned.iter().map(|p| plain(p)))
            .collect()
    }

    fn observe<'a>(&'a self, cx: &'a Cx<'a>, id: &'a CheckId) -> Fut<'a, Result<Report>> {
        Box::pin(async move {
            if let Some(twin) = cx.profile.twins.iter().find(|t| t.name() == id.name) {
                return pair(cx, id, twin).await;
            }
            match cx.profile.partitioned.iter().find(|p| plain(p) == id.name) {
                Some(table) => alone(cx, id, table).await,
                None => Err(Error::usage(format!("no twin {}", id.name))),
            }
        })
    }
}

/// `"public"."t"` → `t`; other schemas stay.
fn plain(relation: &str) -> String {
    let r = Relation::parse(relation);
    match r.schema.as_deref() {
        None | Some("public") => r.name,
        Some(schema) => format!("{schema}.{}", r.name),
    }
}

/// The transaction whose snapshot everything is compared in, exported so that others can share it.
async fn hold(cx: &Cx<'_>) -> Result<(Box<dyn ReadTx>, Option<String>)> {
    let options =
        ReadOptions { snapshot: Snapshot::Transaction, timeout: Some(TIMEOUT), ..ReadOptions::default() };
    let mut tx = cx.read_with(options.clone()).await?;
    match tx.texts("select pg_export_snapshot()", &[]).await {
        Ok(id) => Ok((tx, id.into_iter().next().flatten())),
        // A refusal ends the transaction; one transaction alone still is one snapshot.
        Err(_) => Ok((cx.read_with(options).await?, None)),
    }
}

async fn pair(cx: &Cx<'_>, id: &CheckId, twin: &Twin) -> Result<Report> {
    let (mut tx, snapshot) = hold(cx).await?;
    let Pair { standing, legacy, partitioned } = find_pair(&mut *tx, twin).await?;
    let Some(legacy) = legacy else {
        drop(tx);
        return alone(cx, id, &twin.legacy).await;
    };
    let columns = catalog::Columns::of(&legacy, &partitioned, &twin.key)?;
    let layout = partitions::layout(&mut *tx, &partitioned).await?;
    let triggers = triggers::read(&mut *tx, twin, &legacy, &partitioned).await?;
    let sequences = catalog::sequences(&mut *tx, &partitioned, &twin.key).await?;

    let plan = digest::Plan {
        twin,
        legacy: Some(&legacy),
        columns: &columns,
        layout: &layout,
        sequences: &sequences,
    };
    let reader = digest::Source { cx, snapshot: snapshot.as_deref() };
    let digests = digest::read(&mut *tx, &reader, &plan, cx.quick).await?;
    let mut facts = digests.facts(&layout);
    let mut differing = digests.differing(&layout);
    let mut samples = rows::Samples::default();
    if !cx.quick {
        for class in rows::Class::ALL {
            *class.count(&mut facts) = Some(0);
        }
    }
    if !cx.quick && !differing.is_empty() {
        facts.partitions_not_read = differing.limit(&layout, READ_LEAVES);
        samples = rows::compare(&mut *tx, &plan, &differing, &mut facts).await?;
    }
    facts.snapshot = snapshot;
    facts.standing = standing;
    facts.triggers = triggers;
    let unseen = sequences.iter().find(|s| !s.readable).map(|s| {
        format!(
            "where sequence {0} stands: permission denied\nhint: GRANT SELECT ON SEQUENCE {0} to this role",
            s.name
        )
    });
    facts.sequences = sequences
        .iter()
        .zip(&digests.maxes)
        .map(|(s, max)| Sequence {
            column: s.column.clone(),
            name: s.name.clone(),
            last: s.last,
            readable: s.readable,
            max: *max,
        })
        .collect();
    facts.sequence = facts.sequences.first().cloned();
    facts.columns = columns.common.iter().map(|c| c.name.clone()).collect();
    facts.compared = if cx.quick {
        "counts and sums only: rows were not compared".into()
    } else {
        format!("count and 64-bit digests of {} columns, rows read where they differ", columns.common.len())
    };
    let coverage = layout.coverage(&mut *tx).await?;
    let found = findings::of(id, &facts, &columns, &layout, &coverage, samples);
    let ok = format!("{} rows equal by count and 64-bit digests", facts.legacy_rows.unwrap_or_default());
    let mut report = Report::of(id.clone(), &facts, found, &ok);
    if cx.quick && !report.summary.contains("not compared") {
        report.summary.push_str("; rows were not compared (--quick)");
    }
    Ok(report
        .partly_unknown(unseen)
        .evidence("legacy rows by partition", digest::legacy_sql(&plan))
        .evidence(
            "rows of one partition",
            layout.leaves.first().map(|l| digest::leaf_sql(&plan, l)).unwrap_or_default(),
        ))
}

/// A partitioned table of its own: what can be said without knowing what it should hold.
async fn alone(cx: &Cx<'_>, id: &CheckId, table: &str) -> Result<Report> {
    let (mut tx, snapshot) = hold(cx).await?;
    let partitioned = catalog::table(&mut *tx, table).await?;
    let layout = partitions::layout(&mut *tx, &partitioned).await?;
    let columns = catalog::Columns::default();
    let twin = Twin { partitioned: table.to_owned(), ..Twin::default() };
    let plan = digest::Plan { twin: &twin, legacy: None, columns: &columns, layout: &layout, sequences: &[] };
    let reader = digest::Source { cx, snapshot: snapshot.as_deref() };
    let mut facts = digest::read(&mut *tx, &reader, &plan, true).await?.facts(&layout);
    facts.snapshot = snapshot;
    facts.compared = "row counts only: no legacy table is declared".into();
    let coverage = layout.coverage(&mut *tx).await?;
    let found = findings::of(id, &facts, &columns, &layout, &coverage, rows::Samples::default());
    let ok = format!(
        "{} partitions, {} rows; no legacy table declared",
        layout.leaves.len(),
        facts.partitioned_rows.unwrap_or_default()
    );
    Ok(Report::of(id.clone(), &facts, found, &ok))
}
