//! What the facts of a pair of tables mean.

use crate::features::parity::facts::SyncTriggerState;
use serde_json::{Value, json};

use crate::engine::model::comparison::ComparedColumns;
use crate::engine::model::report::{CheckId, Finding, Sample, Severity};
use crate::features::parity::classify::{RowDifference, Samples};
use crate::features::parity::facts::{ParityFacts, SyncTrigger};
use crate::features::parity::finding_kind::FindingKind;
use crate::features::parity::pair::partitions::{Coverage, Layout};
use crate::features::parity::texts;

/// Partitions that differ and are shown, where rows cannot be.
const APART: usize = 200;

pub(crate) fn build(
    id: &CheckId,
    facts: &ParityFacts,
    columns: &ComparedColumns,
    layout: &Layout,
    coverage: &Coverage,
    mut samples: Samples,
) -> Vec<Finding> {
    let mut out = Findings { id, list: vec![] };
    let mut counted = facts.clone();
    let total = facts.legacy_rows.unwrap_or_default();
    let twin = facts.partitioned_rows.unwrap_or_default();
    for class in RowDifference::ALL {
        let rows = class.count(&mut counted).unwrap_or(0);
        if rows > 0 {
            let sample = samples.take(class);
            // Of the side that has them.
            let total = if class == RowDifference::MissingInLegacy { twin } else { total };
            let message = texts::rows(class, rows, total, &differing_columns(&sample));
            out.push(FindingKind::Rows(class).word(), Severity::Critical, message, Some(rows), sample);
        }
    }
    if facts.not_classified > 0 {
        let message = texts::not_classified(facts.not_classified);
        out.push(
            FindingKind::NotClassified.word(),
            Severity::Critical,
            message,
            Some(facts.not_classified),
            vec![],
        );
    }
    if facts.partitions_not_read > 0 {
        let message = texts::partitions_not_read(facts.partitions_not_read);
        out.push(FindingKind::PartitionsNotRead.word(), Severity::Critical, message, None, vec![]);
    }
    if facts.legacy_rows.is_some() {
        out.counts(facts);
        out.sums(facts);
        out.columns(columns);
        out.triggers(&facts.triggers);
        out.sequences(facts);
    }
    out.coverage(coverage, layout, facts);
    out.list
}

fn differing_columns(sample: &[Sample]) -> Vec<&str> {
    let mut names: Vec<&str> = sample
        .iter()
        .filter_map(|s| s.get("columns")?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

struct Findings<'a> {
    id: &'a CheckId,
    list: Vec<Finding>,
}

impl Findings<'_> {
    fn push(
        &mut self,
        what: &str,
        severity: Severity,
        message: String,
        rows: Option<u64>,
        sample: Vec<Sample>,
    ) {
        self.list.push(Finding {
            id: format!("{}/{what}", self.id),
            severity,
            message,
            title: None,
            rows,
            sample,
        });
    }

    /// Where rows were not compared, that must never read as equal.
    fn counts(&mut self, facts: &ParityFacts) {
        if facts.differences().is_some() {
            return;
        }
        if facts.digests_differ.is_some() {
            self.digests(facts);
            return;
        }
        let differ: Vec<&str> =
            facts.partitions.iter().filter(|p| p.status.is_bad()).map(|p| p.partition.as_str()).collect();
        let agree = differ.is_empty() && facts.legacy_rows == facts.partitioned_rows;
        if !agree {
            let rows = |n: Option<u64>| n.unwrap_or_default();
            let message = texts::counts(&differ, rows(facts.legacy_rows), rows(facts.partitioned_rows));
            self.push(FindingKind::Counts.word(), Severity::Critical, message, None, vec![]);
        }
        let sums = facts.sums.values().all(|s| s.legacy == s.partitioned);
        let message = texts::not_compared(agree && sums);
        self.push(FindingKind::NotCompared.word(), Severity::Warning, message.into(), None, vec![]);
    }

    /// Compared, but no row can be named.
    fn digests(&mut self, facts: &ParityFacts) {
        let apart = facts.digests_differ.as_deref().unwrap_or_default();
        if !apart.is_empty() {
            let message = texts::digests(apart);
            let sample = apart.iter().take(APART).map(|a| {
                let value = serde_json::to_value(a).unwrap_or_default();
                let mut sample = value.as_object().cloned().unwrap_or_default();
                sample.extend([("key".to_owned(), Value::Null), ("columns".to_owned(), json!([]))]);
                sample
            });
            self.push(FindingKind::Digests.word(), Severity::Critical, message, None, sample.collect());
        }
        if facts.rows_unnamed {
            return;
        }
        let (what, message) = match &facts.key_not_unique {
            Some(key) => (FindingKind::Key, texts::key_not_unique(key)),
            None => (FindingKind::NoKey, texts::NO_KEY.into()),
        };
        self.push(what.word(), Severity::Warning, message, None, vec![]);
    }

    /// Rows were compared by digest; sums are the windows' own habit and must agree when the rows do.
    fn sums(&mut self, facts: &ParityFacts) {
        for (column, sums) in &facts.sums {
            if sums.legacy.is_none() && sums.partitioned.is_none() {
                let message = texts::not_summed(column);
                self.push(&FindingKind::NotSummed.with(column), Severity::Info, message, None, vec![]);
            }
            if sums.legacy != sums.partitioned && facts.equal() != Some(false) {
                let message = texts::sums(column, sums);
                self.push(&FindingKind::Sums.with(column), Severity::Critical, message, None, vec![]);
            }
        }
    }

    fn columns(&mut self, columns: &ComparedColumns) {
        let mut add = |what: FindingKind, severity, message| {
            self.push(what.word(), severity, message, None, vec![]);
        };
        let ComparedColumns { only_left, only_right, retyped, .. } = columns;
        if !only_left.is_empty() {
            add(FindingKind::ColumnsMissing, Severity::Critical, texts::columns_missing(only_left));
        }
        if !only_right.is_empty() {
            add(FindingKind::ColumnsExtra, Severity::Warning, texts::columns_extra(only_right));
        }
        if !retyped.is_empty() {
            add(FindingKind::ColumnsType, Severity::Warning, texts::columns_retyped(retyped));
        }
    }

    /// A mirror that fires in part, or whose writes the twin refuses.
    fn limits(&mut self, triggers: &[SyncTrigger]) {
        for t in triggers {
            if let Some(only) = t.only.as_ref().filter(|_| t.state == SyncTriggerState::Conditional) {
                let message = texts::trigger_only(&t.name, only);
                self.push(&FindingKind::Trigger.with(&t.name), Severity::Warning, message, None, vec![]);
            }
            if !t.unknown_columns.is_empty()
                && !matches!(t.state, SyncTriggerState::Disabled | SyncTriggerState::Replica)
            {
                let message = texts::trigger_columns(t);
                self.push(
                    &FindingKind::TriggerColumns.with(&t.name),
                    Severity::Critical,
                    message,
                    None,
                    vec![],
                );
            }
        }
    }

    fn triggers(&mut self, triggers: &[SyncTrigger]) {
        self.limits(triggers);
        let mut explained: Vec<&str> = Vec::new();
        for t in triggers.iter().filter(|t| !t.state.fires_at_all()) {
            let message = texts::trigger_off(t);
            self.push(&FindingKind::Trigger.with(&t.name), Severity::Critical, message, None, vec![]);
            explained.extend(t.events.iter().map(String::as_str));
            if t.state == SyncTriggerState::Missing && t.events.is_empty() {
                explained.extend(SyncTrigger::EVENTS);
            }
        }
        let fires = |event: &str| triggers.iter().any(|t| t.fires_for_every(event));
        let in_part = |event: &str| {
            triggers
                .iter()
                .any(|t| t.state == SyncTriggerState::Conditional && t.partial.iter().any(|e| e == event))
        };
        for event in SyncTrigger::EVENTS {
            if !fires(event) && !explained.contains(&event) {
                let message = texts::unmirrored(event, in_part(event));
                self.push(&FindingKind::Unmirrored.with(event), Severity::Critical, message, None, vec![]);
            }
        }
    }

    fn sequences(&mut self, facts: &ParityFacts) {
        for (i, sequence) in facts.sequences.iter().enumerate() {
            let Some(max) = sequence.max.filter(|_| sequence.readable) else { continue };
            if sequence.last.unwrap_or(0) < max {
                // Dual writes never move it.
                let message = texts::sequence_behind(&sequence.name, sequence.last, max, facts.standing);
                let what = match i {
                    0 => FindingKind::Sequence.word().to_owned(),
                    _ => FindingKind::Sequence.with(&sequence.column),
                };
                self.push(&what, Severity::Warning, message, None, vec![]);
            }
        }
    }

    fn coverage(&mut self, coverage: &Coverage, layout: &Layout, facts: &ParityFacts) {
        if let Some(month) = &coverage.now {
            let message = texts::no_partition_now(month);
            self.push(FindingKind::Coverage.word(), Severity::Critical, message, None, vec![]);
        }
        if let Some(month) = &coverage.next {
            let message = texts::no_partition_next(month);
            self.push(FindingKind::Coverage.word(), Severity::Warning, message, None, vec![]);
        }
        if !coverage.gaps.is_empty() {
            let message = texts::gaps(&coverage.gaps);
            self.push(FindingKind::Gap.word(), Severity::Warning, message, None, vec![]);
        }
        let default = layout.default.and_then(|d| facts.partitions.get(d));
        if let Some(rows) = default.and_then(|p| p.partitioned_rows).filter(|r| *r > 0) {
            let message = texts::default_partition(rows);
            self.push(FindingKind::DefaultPartition.word(), Severity::Warning, message, Some(rows), vec![]);
        }
    }
}
