//! Does the comparison find what it should? Differences are planted in a private copy and looked for by the very same code.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::check::kind::{CheckCx, CheckProgress, SILENT};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::profile::Twin;
use crate::engine::model::report::{CheckId, Finding, Report, Severity, Status};
use crate::engine::port::copies::{CopyRequest, KeyedSample, NoCopies, Rows, TargetCopy};
use crate::engine::port::reader::ReadOptions;
use crate::engine::port::state::NoState;
use crate::features::parity::classify::RowDifference;
use crate::features::parity::comparison;
use crate::features::parity::facts::{ParityFacts, SelfTest};
use crate::features::parity::finding_kind::FindingKind;
use crate::features::parity::options::ComparisonOptions;
use crate::features::parity::pair::{catalog, pair as find_pair, partitions};
use crate::features::parity::planting::{Plant, Planting};
use crate::features::parity::texts;

/// Rows of each table that are copied.
const SAMPLE: u64 = 400;

/// A class and a key, and the columns where they are told.
type Found = BTreeMap<(String, String), BTreeSet<String>>;

/// Adds the outcome to the report of the target: a comparison that is blind is worth nothing.
pub(crate) async fn add_to(cx: &CheckCx<'_>, id: &CheckId, twin: &Twin, report: Report) -> Report {
    let outcome = run(cx, id, twin).await;
    let mut report = report;
    let test = match outcome {
        Ok(test) => test,
        Err(e) => {
            return report.partly_unknown(Some(texts::untested(&e.one_line())));
        }
    };
    if let Some(facts) = report.facts.as_object_mut() {
        facts.insert("self_test".into(), serde_json::to_value(&test).unwrap_or_default());
    }
    let Some(message) = verdict(&test) else { return report };
    report.summary.clone_from(&message);
    report.status = Status::Fail;
    let sample = test.missed.iter().take(20);
    let sample = sample.map(|m| serde_json::Map::from_iter([("missed".to_owned(), m.clone().into())]));
    report.findings.insert(
        0,
        Finding {
            id: format!("{id}/{}", FindingKind::SelfTest.word()),
            severity: Severity::Critical,
            message,
            title: None,
            rows: None,
            sample: sample.collect(),
        },
    );
    report
}

/// What must be said where something was not found.
pub(super) fn verdict(test: &SelfTest) -> Option<String> {
    if test.missed.is_empty() && test.found == test.planted && test.planted > 0 {
        return None;
    }
    Some(texts::untrusted(test))
}

async fn run(cx: &CheckCx<'_>, id: &CheckId, twin: &Twin) -> Result<SelfTest> {
    (cx.tell)(CheckProgress { doing: "planting in a copy", ..CheckProgress::default() });
    let mut tx = cx.read().await?;
    let pair = find_pair(&mut *tx, cx.dialect(), twin).await?;
    drop(tx);
    let legacy = pair.legacy.as_ref().ok_or_else(|| Error::unobserved("the legacy table is gone"))?;
    let partitioned = &pair.partitioned;
    let copy = CopyRequest {
        relations: vec![legacy.relation.clone(), partitioned.relation.clone()],
        rows: Rows::Sample(SAMPLE),
        follow: vec![KeyedSample {
            relation: partitioned.relation.clone(),
            like: legacy.relation.clone(),
            key: twin.key.clone(),
        }],
        whole_schema: false,
    };
    let rehearsal = cx.copies.open(&copy).await?;
    let facts = rehearsal.facts();
    let inside = CheckCx {
        facts: &*facts,
        files: cx.files,
        profile: cx.profile,
        server: cx.server,
        environment: cx.environment,
        insecure: cx.insecure,
        copies: &NoCopies,
        state: &NoState,
        tell: SILENT,
        names: cx.names,
        checks: cx.checks,
    };
    let planting = plant(&inside, twin, &*rehearsal).await?;
    (cx.tell)(CheckProgress { doing: "looking for what was planted", ..CheckProgress::default() });
    let report = comparison::pair(&inside, id, twin, ComparisonOptions::default()).await?;
    if let Some(why) = report.unobserved() {
        return Err(Error::unobserved(format!("the copy could not be compared: {why}")));
    }
    let mut test = judge(&expected(&planting.plants), &found(&report));
    test.not_planted = planting.not_planted;
    rehearsal.summary().clone_into(&mut test.copy);
    Ok(test)
}

async fn plant(cx: &CheckCx<'_>, twin: &Twin, copy: &dyn TargetCopy) -> Result<Planting> {
    let mut tx = cx.facts.begin(ReadOptions::default()).await?;
    let pair = find_pair(&mut *tx, cx.dialect(), twin).await?;
    let legacy = pair.legacy.as_ref().ok_or_else(|| Error::unobserved("the copy has no legacy table"))?;
    let columns = catalog::columns(cx.dialect(), legacy, &pair.partitioned, &twin.key)?;
    let layout = partitions::layout(&mut *tx, &pair.partitioned).await?;
    drop(tx);
    crate::features::parity::seeding::plant(cx, copy, &pair, &columns, &layout).await
}

fn expected(plants: &[Plant]) -> Found {
    plants
        .iter()
        .map(|p| ((p.class.to_owned(), p.key.clone()), p.columns.iter().cloned().collect()))
        .collect()
}

fn found(report: &Report) -> Found {
    let mut out = Found::new();
    for finding in &report.findings {
        let Some(FindingKind::Rows(class)) = FindingKind::from_finding(finding) else { continue };
        for sample in &finding.sample {
            let text = |v: &serde_json::Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
            let key = match sample.get("key") {
                Some(serde_json::Value::Object(parts)) => {
                    parts.values().map(text).collect::<Vec<_>>().join("|")
                }
                Some(value) => text(value),
                None => String::new(),
            };
            let columns = sample.get("columns").and_then(serde_json::Value::as_array).into_iter().flatten();
            let columns = columns.filter_map(|c| c.as_str().map(str::to_owned)).collect();
            out.insert((class.word().to_owned(), key), columns);
        }
    }
    if let Some(more) = ParityFacts::from_report(report).map(|f| f.not_classified).filter(|n| *n > 0) {
        out.insert(("not_classified".into(), more.to_string()), BTreeSet::new());
    }
    out
}

/// Key by key and class by class; of rows that differ also column by column.
fn judge(expected: &Found, found: &Found) -> SelfTest {
    let told = |class: &str| class == RowDifference::Different.word();
    let as_planted = |((class, key), columns): (&(String, String), &BTreeSet<String>)| {
        found.get(&(class.clone(), key.clone())).is_some_and(|f| !told(class) || f == columns)
    };
    let (right, wrong): (Vec<_>, Vec<_>) = expected.iter().partition(|e| as_planted(*e));
    let named = |(class, key): &(String, String), columns: &BTreeSet<String>| {
        let columns: Vec<_> = columns.iter().cloned().collect();
        format!("{class} {key} {}", columns.join(", ")).trim_end().to_owned()
    };
    let mut missed: Vec<String> =
        wrong.iter().map(|(what, c)| format!("planted, not found: {}", named(what, c))).collect();
    let others = found.iter().filter(|(what, _)| !expected.contains_key(*what));
    missed.extend(others.map(|(what, c)| format!("found, not planted: {}", named(what, c))));
    SelfTest { planted: expected.len() as u64, found: right.len() as u64, missed, ..SelfTest::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(list: &[(&str, &str, &[&str])]) -> Found {
        list.iter()
            .map(|(class, key, columns)| {
                (((*class).into(), (*key).into()), columns.iter().map(|c| (*c).to_owned()).collect())
            })
            .collect()
    }

    #[test]
    fn what_is_found_as_planted_is_trusted() {
        let planted = set(&[("different", "1", &["a"]), ("stale", "2", &[])]);
        let found = set(&[("different", "1", &["a"]), ("stale", "2", &["d"])]);
        let test = judge(&planted, &found);
        assert_eq!((test.planted, test.found), (2, 2));
        assert_eq!(verdict(&test), None);
    }

    #[test]
    fn a_blind_comparison_is_untrusted() {
        let planted = set(&[("different", "1", &["a"]), ("stale", "2", &[])]);
        for found in [
            set(&[]),
            set(&[("different", "1", &["b"]), ("stale", "2", &[])]),
            set(&[("different", "1", &["a"]), ("different", "2", &["d"])]),
            set(&[("different", "1", &["a"]), ("stale", "2", &[]), ("duplicate", "9", &[])]),
        ] {
            let test = judge(&planted, &found);
            assert!(verdict(&test).unwrap().starts_with("UNTRUSTED"), "{test:?}");
        }
        assert!(verdict(&judge(&set(&[]), &set(&[]))).is_some());
    }
}
