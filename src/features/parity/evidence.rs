//! What was found equal of a pair, where and when: the document that a check keeps, and the next one reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::check::kind::CheckCx;
use crate::engine::compare::totals::Aggregate;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::identity::Identity;
use crate::engine::port::state::Document;
use crate::features::parity::facts::KIND;
use crate::features::parity::pair::fingerprint::Fingerprint;

/// Both sides of a partition, as they were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionSides {
    /// Its rows in the legacy table.
    pub legacy: Aggregate,
    /// Its own.
    pub twin: Aggregate,
}

/// A partition that was equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedPartition {
    /// The snapshot it was read in, by its name.
    pub snapshot: String,
    /// When, by the server's clock.
    pub at: String,
    /// What was read.
    pub sides: PartitionSides,
}

/// Everything a check knows of a pair of tables. A change of its text makes what is kept unreadable: all partitions are
/// then read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairEvidence {
    /// Which transactions it knows of (`pg_current_snapshot()`): what others wrote is told by marks.
    pub sees: String,
    /// How the definitions were.
    pub fingerprint: Fingerprint,
    /// What was compared: columns and their expressions.
    pub compared: String,
    /// There were legacy rows without a partition.
    #[serde(default)]
    pub homeless: bool,
    /// Partitions that were equal, by oid.
    pub partitions: BTreeMap<i64, SealedPartition>,
}

fn document(twin: &str) -> Document<'_> {
    Document { folder: KIND, name: twin, holds: "proof" }
}

impl PairEvidence {
    /// The last one of a pair.
    pub(crate) fn read(cx: &CheckCx<'_>, twin: &str) -> Option<Self> {
        serde_json::from_str(&cx.state.read(&Identity::from_server(cx.server), &document(twin))?).ok()
    }

    /// Keeps it in place of the last.
    pub(crate) fn keep(&self, cx: &CheckCx<'_>, twin: &str) -> Result<()> {
        let text = serde_json::to_string(self)
            .map_err(|e| Error::unobserved(format!("failed to keep what was found equal: {e}")))?;
        cx.state.write(&Identity::from_server(cx.server), &document(twin), Some(&text))
    }
}
