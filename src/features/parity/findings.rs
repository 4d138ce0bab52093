//! What the facts of a pair of tables mean.

use crate::features::parity::facts::SyncTriggerState;
use serde_json::{Value, json};

use crate::engine::model::comparison::ComparedColumns;
use crate::engine::model::report::{CheckId, Finding, Sample, Severity};
use crate::features::parity::classify::{RowDifference, Samples};
use crate::features::parity::facts::{Apart, ParityFacts, SyncTrigger};
use crate::features::parity::finding_kind::FindingKind;
use crate::features::parity::pair::SwitchState;
use crate::features::parity::pair::partitions::{Coverage, Layout};

/// Partitions that differ and are shown, where rows cannot be.
const APART: usize = 200;

pub(crate) fn of(
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
            let message = format!("{rows} of {total} rows {}{}", describe(class), differing_columns(&sample));
            out.push(FindingKind::Rows(class).word(), Severity::Critical, message, Some(rows), sample);
        }
    }
    if facts.not_classified > 0 {
        let message =
            format!("{} more keys differ or hold NULL, not looked at one by one", facts.not_classified);
        out.push(
            FindingKind::NotClassified.word(),
            Severity::Critical,
            message,
            Some(facts.not_classified),
            vec![],
        );
    }
    if facts.partitions_not_read > 0 {
        let message = format!("{} more partitions differ, their rows not read", facts.partitions_not_read);
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

fn describe(class: RowDifference) -> &'static str {
    match class {
        RowDifference::Different => "differ",
        RowDifference::MissingInPartitioned => "are missing in the twin",
        RowDifference::MissingInLegacy => "are in the twin only",
        RowDifference::Stale => "have a stale copy under an old partition key",
        RowDifference::Duplicate => "have a second row with the same key",
    }
}

fn differing_columns(sample: &[Sample]) -> String {
    let mut names: Vec<&str> = sample
        .iter()
        .filter_map(|s| s.get("columns")?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    names.sort_unstable();
    names.dedup();
    match &names[..] {
        [] => String::new(),
        [a, b, c, more @ ..] if more.len() > 1 => format!(" ({a}, {b}, {c} and {} more columns)", more.len()),
        few => format!(" ({})", few.join(", ")),
    }
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
        self.list.push(Finding { id: format!("{}/{what}", self.id), severity, message, rows, sample });
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
            let named = match &differ[..] {
                [] => String::new(),
                [a, b, more @ ..] if more.len() > 1 => {
                    format!(" in {a}, {b} and {} more partitions", more.len())
                }
                few => format!(" in {}", few.join(", ")),
            };
            let message = format!(
                "the counts differ{named}: {} legacy rows, {} in the twin",
                rows(facts.legacy_rows),
                rows(facts.partitioned_rows)
            );
            self.push(FindingKind::Counts.word(), Severity::Critical, message, None, vec![]);
        }
        let sums = facts.sums.values().all(|s| s.legacy == s.partitioned);
        let message = match (agree, sums) {
            (true, true) => "counts and sums agree; rows were not compared (--quick)",
            _ => "rows were not compared (--quick)",
        };
        self.push(FindingKind::NotCompared.word(), Severity::Warning, message.into(), None, vec![]);
    }

    /// Compared, but no row can be named.
    fn digests(&mut self, facts: &ParityFacts) {
        let apart = facts.digests_differ.as_deref().unwrap_or_default();
        if !apart.is_empty() {
            let place = |a: &Apart| {
                let keys = a.keys.as_ref().map(|k| format!(" ({k})")).unwrap_or_default();
                a.partition.as_ref().map(|p| format!("{p}{keys}"))
            };
            let shown = apart.iter().filter_map(place).take(3).collect::<Vec<_>>().join(", ");
            let place = match apart.len() {
                n @ 4.. => format!(" in {shown} and {} more partitions", n - 3),
                _ if shown.is_empty() => shown,
                _ => format!(" in {shown}"),
            };
            let message = format!(
                "rows differ{place} by count and digest: {} legacy rows there, {} in the twin",
                apart.iter().map(|a| a.legacy_rows).sum::<u64>(),
                apart.iter().map(|a| a.partitioned_rows).sum::<u64>()
            );
            let sample = apart.iter().take(APART).map(|a| {
                let value = serde_json::to_value(a).unwrap_or_default();
                let mut sample = value.as_object().cloned().unwrap_or_default();
                sample.extend([("key".to_owned(), Value::Null), ("columns".to_owned(), json!([]))]);
                sample
            });
            self.push(FindingKind::Digests.word(), Severity::Critical, message, None, sample.collect());
        }
        let (what, message) = match &facts.key_not_unique {
            Some(key) => (
                FindingKind::Key,
                format!(
                    "no unique index on ({key}) of the legacy table: compared by count and digest only, rows are not told apart"
                ),
            ),
            None => (
                FindingKind::NoKey,
                "no common key names a row on both sides: compared by count and digest only".into(),
            ),
        };
        self.push(what.word(), Severity::Warning, message, None, vec![]);
    }

    /// Rows were compared by digest; sums are the windows' own habit and must agree when the rows do.
    fn sums(&mut self, facts: &ParityFacts) {
        for (column, sums) in &facts.sums {
            if sums.legacy.is_none() && sums.partitioned.is_none() {
                let message = format!("{column} was not summed: it is not a number on both sides");
                self.push(&FindingKind::NotSummed.with(column), Severity::Info, message, None, vec![]);
            }
            if sums.legacy != sums.partitioned && facts.equal() != Some(false) {
                let message = format!(
                    "the sums of {column} differ: {} and {}",
                    sums.legacy.as_deref().unwrap_or("none"),
                    sums.partitioned.as_deref().unwrap_or("none")
                );
                self.push(&FindingKind::Sums.with(column), Severity::Critical, message, None, vec![]);
            }
        }
    }

    fn columns(&mut self, columns: &ComparedColumns) {
        let mut say = |what: FindingKind, severity, list: Vec<String>, text: &str| {
            if !list.is_empty() {
                self.push(what.word(), severity, format!("{text}: {}", list.join(", ")), None, vec![]);
            }
        };
        let ComparedColumns { only_left, only_right, retyped, .. } = columns;
        say(FindingKind::ColumnsMissing, Severity::Critical, only_left.clone(), "the twin lacks columns");
        say(
            FindingKind::ColumnsExtra,
            Severity::Warning,
            only_right.clone(),
            "the twin has columns of its own",
        );
        let types = retyped.iter().map(|(n, l, t)| format!("{n} ({l}, in the twin {t})")).collect();
        say(
            FindingKind::ColumnsType,
            Severity::Warning,
            types,
            "columns of another type, compared after a cast or as text",
        );
    }

    /// A mirror that fires in part, or whose writes the twin refuses.
    fn limits(&mut self, triggers: &[SyncTrigger]) {
        for t in triggers {
            if let Some(only) = t.only.as_ref().filter(|_| t.state == SyncTriggerState::Conditional) {
                let message = format!("trigger {} fires only {only}", t.name);
                self.push(&FindingKind::Trigger.with(&t.name), Severity::Warning, message, None, vec![]);
            }
            if !t.unknown_columns.is_empty()
                && !matches!(t.state, SyncTriggerState::Disabled | SyncTriggerState::Replica)
            {
                let message = format!(
                    "trigger {} writes columns that the twin lacks ({}): the legacy table's writes fail",
                    t.name,
                    t.unknown_columns.join(", ")
                );
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
            let lost = if t.events.is_empty() { "its events".into() } else { t.events.join(" and ") };
            let message = format!("trigger {} is {}: {lost} not mirrored", t.name, t.state.word());
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
                let every = if in_part(event) { "every " } else { "" };
                let message = format!("no trigger mirrors {every}{event}");
                self.push(&FindingKind::Unmirrored.with(event), Severity::Critical, message, None, vec![]);
            }
        }
    }

    fn sequences(&mut self, facts: &ParityFacts) {
        for (i, sequence) in facts.sequences.iter().enumerate() {
            let Some(max) = sequence.max.filter(|_| sequence.readable) else { continue };
            if sequence.last.unwrap_or(0) < max {
                // Dual writes never move it.
                let then = match facts.standing {
                    SwitchState::Before => {
                        "the first insert that it numbers fails; midwatch's switchover hands the legacy table's over instead"
                    }
                    SwitchState::Switched | SwitchState::Cleaned => "the next inserts that it numbers fail",
                };
                let message = format!(
                    "sequence {} is at {}, behind {max}: {then}",
                    sequence.name,
                    sequence.last.map_or("its start".into(), |l| l.to_string())
                );
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
            let message = format!("no partition takes rows of now ({month}): writes fail");
            self.push(FindingKind::Coverage.word(), Severity::Critical, message, None, vec![]);
        }
        if let Some(month) = &coverage.next {
            let message = format!("no partition for the coming month {month}: writes will fail then");
            self.push(FindingKind::Coverage.word(), Severity::Warning, message, None, vec![]);
        }
        if !coverage.gaps.is_empty() {
            let message = format!("no partition between {}", coverage.gaps.join("; "));
            self.push(FindingKind::Gap.word(), Severity::Warning, message, None, vec![]);
        }
        let default = layout.default.and_then(|d| facts.partitions.get(d));
        if let Some(rows) = default.and_then(|p| p.partitioned_rows).filter(|r| *r > 0) {
            let lie = if rows == 1 { "row lies" } else { "rows lie" };
            let message =
                format!("{rows} {lie} in the default partition: a partition for them cannot be added");
            self.push(FindingKind::DefaultPartition.word(), Severity::Warning, message, Some(rows), vec![]);
        }
    }
}
