//! Nobody decides by the text of a finding, a step or a verb: features export kinds and constants for them.

use midwatch::features::{
    anomalies, migrations::finding_kind::MigrationFinding, parity::finding_kind::FindingKind,
    queue::finding_kind::QueueFinding, switchover::step_kind::StepKind,
};

use crate::{
    breaches::{Breach, hold},
    registered::{kinds, verbs},
    sources::Tree,
};

/// Who gets to see reports, plans and runs of all features.
const PLACES: [&str; 3] = ["engine", "tui", "cli"];

/// Every word that a feature brings and that stands in data.
fn words() -> Vec<&'static str> {
    let findings = FindingKind::ALL.iter().map(|k| k.word());
    let findings = findings.chain(QueueFinding::ALL.iter().map(|k| k.word()));
    let findings = findings.chain(MigrationFinding::ALL.iter().map(|k| k.word()));
    let steps = StepKind::ALL.iter().map(|k| k.id());
    verbs().into_iter().chain(kinds()).chain(findings).chain(steps).chain(["undo"]).collect()
}

fn breaches(tree: &Tree, words: &[&str]) -> Vec<Breach> {
    let mut found = Vec::new();
    for file in PLACES.iter().flat_map(|place| tree.within(place)) {
        for literal in file.literals.iter().filter(|l| l.decides) {
            let word = literal.text.split('/').next().unwrap_or_default();
            // The engine's own word for a step that changes rows is the same.
            let of_rule = word == anomalies::check::ROWS && !file.path.starts_with("engine/");
            if words.contains(&word) || of_rule {
                let place = format!("src/{}:{} {:?}", file.path, literal.line, literal.text);
                found.push(Breach::new(format!("{} {word}", file.path), place));
            }
        }
    }
    found
}

#[test]
fn nothing_is_decided_by_a_finding_a_step_or_a_verb_as_text() {
    hold("decisions", "no text of a finding, step or verb is compared", &breaches(Tree::src(), &words()));
}

#[test]
fn a_text_that_decides_is_found() {
    let words = ["self_test", "trigger"];
    let found = |code: &str| {
        let tree = Tree::of(&[("tui/a.rs", format!("fn f() {{ {code} }}"))]);
        breaches(&tree, &words).len()
    };
    for bad in [
        r#"if f.what() == "self_test" {}"#,
        r#"if "trigger" != what {}"#,
        r#"match what { "sequence" | "trigger" => {} _ => {} }"#,
        r#"let known = matches!(what, "self_test");"#,
        r#"let known = what.starts_with("trigger/");"#,
        r#"let known = words.contains(&"trigger");"#,
        r#"if let Some("self_test") = what {}"#,
    ] {
        assert_eq!(found(bad), 1, "{bad}");
    }
    for fine in [
        r#"say("trigger");"#,
        r#"let label = if known == other { "trigger" } else { "" };"#,
        r#"if what == "triggers" {}"#,
        r#"if say("trigger") == 1 {}"#,
    ] {
        assert_eq!(found(fine), 0, "{fine}");
    }
    let elsewhere = Tree::of(&[("features/a.rs", r#"fn f() { if a == "trigger" {} }"#)]);
    assert!(breaches(&elsewhere, &words).is_empty());
    assert!(super::decisions::words().contains(&"swap-back"));
}
