//! What people read below the summary of a comparison, from its facts: its snapshots, its seals, its self-test.

use chrono::{DateTime, Utc};

use crate::engine::model::report::{Note, Report};
use crate::features::parity::facts::{ParityFacts, SelfTest};
use crate::features::parity::{self_test, texts};

/// The notes of a report; none where nothing was compared.
pub(super) fn notes(report: &Report) -> Vec<Note> {
    let Some(facts) = ParityFacts::from_report(report) else { return vec![] };
    let at = report.observed_at;
    let lines = [compared_in(&facts, at), sealed(&facts, at)];
    let tested = facts.self_test.as_ref().map(tested);
    lines.into_iter().flatten().map(Note::new).chain(tested).collect()
}

/// When it was compared and in which snapshot, and why nothing of it could be sealed.
fn compared_in(facts: &ParityFacts, at: DateTime<Utc>) -> Option<String> {
    facts.legacy_rows?;
    let (snapshot, readings) = (facts.snapshot.as_deref(), facts.readings.len());
    if snapshot.is_none() && readings < 2 {
        return None;
    }
    Some(texts::compared_in(snapshot.unwrap_or_default(), readings, at, facts.unsealed.as_deref()))
}

/// What is equal by an earlier proof: how much, how old the oldest one is, and its snapshot.
fn sealed(facts: &ParityFacts, at: DateTime<Utc>) -> Option<String> {
    let sealed = || facts.partitions.iter().filter(|p| p.sealed);
    let dated = sealed().filter_map(|p| Some((p.proved_at.as_ref()?.parse::<DateTime<Utc>>().ok()?, p)));
    let (proved_at, oldest) = dated.min_by_key(|(at, _)| *at)?;
    let age = (at - proved_at).num_seconds();
    Some(texts::sealed(sealed().count(), facts.partitions.len(), age, oldest.proof_snapshot.as_deref()))
}

/// What a self-test has found; one line has it only where it found everything.
fn tested(test: &SelfTest) -> Note {
    let brief = self_test::verdict(test).is_none().then(|| texts::trusted(test));
    Note { brief, ..Note::new(texts::tested(test)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::report::CheckId;
    use crate::features::parity::facts::{KIND, Partition, Reading};

    fn report(facts: &ParityFacts) -> Report {
        let id = CheckId { kind: KIND, name: "revenues".into() };
        let mut report = Report::observed(id, facts, vec![], "equal");
        report.observed_at = "2026-11-21T00:58:00Z".parse().unwrap();
        report
    }

    fn texts(facts: &ParityFacts) -> Vec<String> {
        notes(&report(facts)).into_iter().map(|n| n.text).collect()
    }

    fn compared() -> ParityFacts {
        ParityFacts { legacy_rows: Some(3), snapshot: Some("0A-1".into()), ..ParityFacts::default() }
    }

    #[test]
    fn a_comparison_names_its_snapshot_and_why_nothing_is_sealed() {
        let unknown = Report::unknown(CheckId { kind: KIND, name: "revenues".into() }, "");
        assert_eq!(notes(&unknown), []);
        assert_eq!(texts(&ParityFacts { snapshot: None, ..compared() }), <[&str; 0]>::default());
        assert_eq!(texts(&ParityFacts { legacy_rows: None, ..compared() }), <[&str; 0]>::default());
        let facts = ParityFacts { unsealed: Some("nothing marks writes (see watch)".into()), ..compared() };
        let said =
            "looked at in snapshot 0A-1 at 00:58:00Z; nothing stays sealed: nothing marks writes (see watch)";
        assert_eq!(texts(&facts), [said]);
        let readings = vec![Reading::default(), Reading::default()];
        let several = ParityFacts { readings, snapshot: None, ..compared() };
        assert_eq!(texts(&several), ["looked at in 2 snapshots at 00:58:00Z"]);
    }

    #[test]
    fn a_seal_names_its_oldest_proof() {
        let proof = |at: &str, snapshot: &str| Partition {
            sealed: true,
            proved_at: Some(at.into()),
            proof_snapshot: Some(snapshot.into()),
            ..Partition::default()
        };
        let partitions = vec![
            proof("2026-11-21T00:57:00Z", "0B-1"),
            proof("2026-11-21T00:55:00Z", "0A-9"),
            Partition::default(),
        ];
        let facts = ParityFacts { partitions, ..ParityFacts::default() };
        assert_eq!(texts(&facts), ["2 of 3 partitions sealed, oldest proof 3 min ago, snapshot 0A-9"]);
    }

    #[test]
    fn a_self_test_is_in_one_line_where_it_found_everything() {
        let facts = |found| ParityFacts {
            self_test: Some(SelfTest { planted: 43, found, ..SelfTest::default() }),
            ..ParityFacts::default()
        };
        let line = |facts| {
            let mut report = report(&facts);
            report.notes = notes(&report);
            report.one_line()
        };
        assert_eq!(texts(&facts(43)), ["self-test: 43 of 43 planted differences found"]);
        assert_eq!(line(facts(43)), "equal · self-test: 43 of 43 planted found");
        assert_eq!(texts(&facts(42)), ["self-test: 42 of 43 planted differences found"]);
        assert_eq!(line(facts(42)), "equal");
    }
}
