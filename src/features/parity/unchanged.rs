//! Partitions that need not be read again: found equal before, and not written since.

use crate::features::parity::facts::PartitionStatus;
use std::collections::BTreeMap;

use crate::engine::check::kind::CheckCx;
use crate::engine::model::comparison::KeySpan;
use crate::engine::model::error::Result;
use crate::engine::port::compare_sql::CompareSql;
use crate::engine::port::reader::ReadTx;
use crate::features::parity::compared_pair::ComparedPair;
use crate::features::parity::evidence::{PairEvidence, PartitionSides, SealedPartition};
use crate::features::parity::facts::ParityFacts;
use crate::features::parity::pair::TwinTables;
use crate::features::parity::pair::change_capture::{self, CaptureState, ChangedParts};
use crate::features::parity::pair::fingerprint::Fingerprint;
use crate::features::parity::pair::partitions::Mapping;
use crate::features::parity::scan::Tally;
use crate::features::parity::scan_part::ScanPart;
use crate::features::parity::snapshot::{SnapshotInfo, SnapshotSource};
use crate::features::parity::texts;

/// What is known before anything is read.
#[derive(Default)]
pub(crate) struct Seals {
    /// Marks are written of everything.
    fingerprint: Option<Fingerprint>,
    /// Sealed partitions by slot.
    sealed: BTreeMap<usize, SealedPartition>,
    /// Legacy rows may have no partition.
    homeless: bool,
    /// Why nothing is sealed.
    pub(crate) why: Option<String>,
}

fn nothing(fingerprint: Option<Fingerprint>, why: impl Into<String>) -> Seals {
    Seals { fingerprint, sealed: BTreeMap::new(), homeless: true, why: Some(why.into()) }
}

/// What was compared, as far as it decides what an aggregate means.
fn meaning(compared: &ComparedPair<'_>, sql: &dyn CompareSql) -> String {
    format!(
        "1 {} {:?} {}",
        sql.row_digest(&compared.columns.common),
        compared.twin.sums,
        compared.layout.bucket()
    )
}

impl Seals {
    /// In the snapshot that everything else is read in.
    pub(crate) async fn read(
        tx: &mut dyn ReadTx,
        cx: &CheckCx<'_>,
        source: &SnapshotSource<'_>,
        compared: &ComparedPair<'_>,
        pair: &TwinTables,
    ) -> Result<Self> {
        if compared.options.quick {
            return Ok(Self::default());
        }
        let print = match change_capture::installed(tx, pair, compared.columns, compared.layout).await? {
            CaptureState::Complete(print) => print,
            CaptureState::Incomplete(lacking) => return Ok(nothing(None, lacking.why)),
        };
        let Some(proof) = PairEvidence::read(cx, compared.twin.name()) else {
            return Ok(nothing(Some(print), texts::NO_PROOF));
        };
        if let Some(what) = print.difference(&proof.fingerprint) {
            let why = texts::redefined(what);
            return Ok(nothing(Some(print), why));
        }
        if proof.compared != meaning(compared, source.rows) {
            return Ok(nothing(Some(print), texts::OTHER_COLUMNS));
        }
        let after = tx.texts(&source.sql.is_after(&proof.sees)).await?;
        if after.first().and_then(|t| t.as_deref()) != Some("true") {
            return Ok(nothing(Some(print), texts::UNKNOWN_TRANSACTIONS));
        }
        if compared.options.full {
            return Ok(nothing(Some(print), texts::FULL));
        }
        let touched = change_capture::touched(tx, pair, compared.layout, &proof.sees).await?;
        if touched.all {
            return Ok(nothing(Some(print), texts::TRUNCATED));
        }
        let homeless = proof.homeless || touched.homeless;
        Ok(Self {
            fingerprint: Some(print),
            sealed: still_sealed(compared, &proof, &touched),
            homeless,
            why: None,
        })
    }

    /// What is to be read; `None`: all.
    pub(crate) fn open(&self, compared: &ComparedPair<'_>) -> Option<ScanPart> {
        if self.sealed.is_empty() {
            return None;
        }
        let slots = (0..compared.layout.slots.len()).filter(|s| !self.sealed.contains_key(s)).collect();
        Some(ScanPart { keys: KeySpan::default(), slots: Some(slots), homeless: self.homeless })
    }

    /// Adds what is sealed to what was read.
    pub(crate) fn add_to(&self, tally: &mut Tally) {
        for (slot, sealed) in &self.sealed {
            tally.put(*slot, &sealed.sides.legacy, &sealed.sides.twin);
        }
    }

    /// Says of each partition which proof it has.
    pub(crate) fn add_proofs(
        &self,
        compared: &ComparedPair<'_>,
        taken: &SnapshotInfo,
        facts: &mut ParityFacts,
    ) {
        facts.unsealed.clone_from(&self.why);
        facts.sealed = self.sealed.len() as u64;
        for (slot, partition) in facts.partitions.iter_mut().enumerate().take(compared.layout.slots.len()) {
            if let Some(sealed) = self.sealed.get(&slot) {
                partition.sealed = true;
                partition.proof_snapshot = Some(sealed.snapshot.clone());
                partition.proved_at = Some(sealed.at.clone());
            } else if partition.status == PartitionStatus::Equal {
                partition.proof_snapshot.clone_from(&taken.name);
                partition.proved_at = Some(taken.at.clone());
            }
        }
    }

    /// What is to be kept; `None` where nothing tells later writes.
    pub(crate) fn evidence(
        &self,
        compared: &ComparedPair<'_>,
        sql: &dyn CompareSql,
        taken: &SnapshotInfo,
        tally: &Tally,
    ) -> Option<PairEvidence> {
        let fingerprint = self.fingerprint.clone()?;
        if compared.layout.mapping == Mapping::Whole {
            return None;
        }
        let differing = tally.differing_slots();
        let homeless = tally.legacy_of(None).rows > 0;
        let mut partitions = BTreeMap::new();
        for (slot, oid) in compared.layout.oids.iter().enumerate() {
            if let Some(sealed) = self.sealed.get(&slot) {
                partitions.insert(*oid, sealed.clone());
            } else if !differing.contains(&Some(slot)) {
                let sides = PartitionSides { legacy: tally.legacy_of(Some(slot)), twin: tally.twin_of(slot) };
                if (sides.legacy.rows, sides.legacy.digest) != (sides.twin.rows, sides.twin.digest) {
                    continue;
                }
                let snapshot = taken.name.clone().unwrap_or_else(|| taken.sees.clone());
                partitions.insert(*oid, SealedPartition { snapshot, at: taken.at.clone(), sides });
            }
        }
        Some(PairEvidence {
            sees: taken.sees.clone(),
            fingerprint,
            compared: meaning(compared, sql),
            homeless,
            partitions,
        })
    }
}

/// The proof's partitions that were not written since.
fn still_sealed(
    compared: &ComparedPair<'_>,
    proof: &PairEvidence,
    touched: &ChangedParts,
) -> BTreeMap<usize, SealedPartition> {
    let slots = compared.layout.oids.iter().enumerate();
    slots
        .filter(|(slot, _)| !touched.slots.contains(slot))
        .filter_map(|(slot, oid)| Some((slot, proof.partitions.get(oid)?.clone())))
        .collect()
}
