//! Nobody decides by the text of a finding, a step or a verb: features export kinds and constants for them.

use midwatch::features::{
    anomalies, migrations::finding_kind::MigrationFinding, parity::finding_kind::FindingKind,
    queue::finding_kind::QueueFinding, roles::finding_kind::RoleFinding, switchover::step_kind::StepKind,
};

use crate::{
    breaches::{Breach, hold},
    registered::{kinds, verbs},
    sources::Tree,
};

/// Who gets to see reports, plans and runs of all features. A feature sees those of others: what it asks them, what it
/// plans on, what it reads of the journal.
const PLACES: [&str; 5] = ["engine", "tui", "cli", "report", "features"];

/// The words in ids of each feature's own findings and steps; its folder is the one place that may know them as texts.
fn own_words() -> [(&'static str, Vec<&'static str>); 6] {
    [
        ("anomalies", vec![anomalies::check::ROWS]),
        ("migrations", MigrationFinding::ALL.iter().map(|k| k.word()).collect()),
        ("parity", FindingKind::ALL.iter().map(|k| k.word()).collect()),
        ("queue", QueueFinding::ALL.iter().map(|k| k.word()).collect()),
        ("roles", RoleFinding::ALL.iter().map(|k| k.word()).collect()),
        ("switchover", StepKind::ALL.iter().map(|k| k.id()).collect()),
    ]
}

/// Every word that a feature brings and that stands in data.
fn words() -> Vec<&'static str> {
    let own = own_words().into_iter().flat_map(|(_, words)| words);
    verbs().into_iter().chain(kinds()).chain(own).chain(["undo"]).collect()
}

/// Where the same letters are no feature's word: the file, the word, and what it is there.
const OTHER_WORDS: &[(&str, &str, &str)] = &[
    (
        "features/migrations/presence.rs",
        "trigger",
        "a kind of object, as the parser of migration files names it",
    ),
    ("features/switchover/copy/trigger_body.rs", "key", "a keyword of SQL"),
];

fn breaches(tree: &Tree, words: &[&str]) -> Vec<Breach> {
    let mut found = Vec::new();
    for file in PLACES.iter().flat_map(|place| tree.within(place)) {
        let feature = file.path.strip_prefix("features/").and_then(|rest| rest.split_once('/'));
        let is_own = |word: &str| {
            let of = |folder: &str| feature.is_some_and(|(f, _)| f == folder);
            own_words().iter().any(|(folder, own)| of(folder) && own.contains(&word))
        };
        for literal in file.literals.iter().filter(|l| l.decides) {
            let word = literal.text.split('/').next().unwrap_or_default();
            // The engine's own word for a step that changes rows is the same.
            let of_step = word == anomalies::check::ROWS && file.path.starts_with("engine/");
            if words.contains(&word) && !of_step && !is_own(word) {
                let place = format!("src/{}:{} {:?}", file.path, literal.line, literal.text);
                found.push(Breach::new(format!("{} {word}", file.path), place));
            }
        }
    }
    found
}

/// Where prose is looked for in a text.
const PROSE_IN: [&str; 5] = ["engine", "tui", "cli", "report", "features"];

/// Where a text of a server or a file is parsed: the file, what is looked for, and whose text it is.
const PARSED: &[(&str, &str, &str)] = &[
    (
        "engine/model/step.rs",
        "partitions of ",
        "plans on disk have the table of such a lock in its object only",
    ),
    ("features/parity/pair/partitions.rs", "FOR VALUES IN (", "a partition's bound, as the server prints it"),
    ("features/parity/pair/partitions.rs", ", ", "a partition's bound, as the server prints it"),
    ("features/parity/pair/partitions.rs", ") TO (", "a partition's bound, as the server prints it"),
    ("features/parity/pair/partitions.rs", ", remainder ", "a partition's bound, as the server prints it"),
    (
        "features/parity/pair/partitions.rs",
        "FOR VALUES FROM (",
        "a partition's bound, as the server prints it",
    ),
    (
        "features/parity/pair/partitions.rs",
        "FOR VALUES WITH (modulus ",
        "a partition's bound, as the server prints it",
    ),
    ("features/switchover/renames.rs", "alter table ", "statements of plans on disk that declare no names"),
    ("features/switchover/renames.rs", " rename to ", "statements of plans on disk that declare no names"),
    (
        "features/switchover/plan/rollback.rs",
        "; ",
        "plans on disk have what a twin had of its own in a list only",
    ),
    ("features/switchover/renames.rs", "drop table ", "statements of plans on disk that declare no names"),
    ("features/switchover/renames.rs", " cascade", "statements of plans on disk that declare no names"),
    ("cli/output.rs", "error: ", "what the argument parser prints"),
];

/// Prose that is looked for in a text: whoever writes a text has a field for what it means.
fn prose(tree: &Tree) -> Vec<(String, String, Breach)> {
    let mut found = Vec::new();
    for file in PROSE_IN.iter().flat_map(|place| tree.within(place)) {
        for literal in file.literals.iter().filter(|l| l.sought && l.text.contains(' ')) {
            let place = format!("src/{}:{} {:?}", file.path, literal.line, literal.text);
            let breach = Breach::new(format!("{} {:?}", file.path, literal.text), place);
            found.push((file.path.clone(), literal.text.clone(), breach));
        }
    }
    found
}

#[test]
fn nothing_is_decided_by_prose() {
    let found = prose(Tree::src());
    let is = |(path, text): (&str, &str), (p, t): (&str, &str)| path == p && text == t;
    let left = found.iter().filter(|(p, t, _)| !PARSED.iter().any(|a| is((a.0, a.1), (p, t))));
    let left: Vec<Breach> = left.map(|(.., breach)| breach.clone()).collect();
    hold("prose", "no prose is looked for in a text; a field says what it means", &left);
    for (path, text, why) in PARSED {
        assert!(found.iter().any(|(p, t, _)| is((path, text), (p, t))), "{path} {text:?} is gone: {why}");
    }
}

#[test]
fn prose_that_is_looked_for_is_found() {
    let found = |path: &str, code: &str| prose(&Tree::of(&[(path, format!("fn f() {{ {code} }}"))])).len();
    for bad in [
        r#"if why.starts_with("not tried yet") {}"#,
        r#"let rest = undo.strip_prefix("full, ").or_else(|| undo.strip_prefix("full"));"#,
        r#"let quick = facts.compared.contains("not compared");"#,
        r#"if sql.ends_with("where ") {}"#,
        r#"let (before, _) = summary.split_once(" · self-test: ").unwrap();"#,
        r#"say(message.rsplit_once(" × ").map_or(message.clone(), |(_, t)| t.to_owned()));"#,
        r#"let all: Vec<_> = own.split("; ").collect();"#,
        r#"let first = own.splitn(2, "; ").next();"#,
        r#"let at = text.find(" rows").or_else(|| text.rfind(" rows"));"#,
        r#"let n = text.matches(" and ").count();"#,
        r#"say(vec![if state.starts_with("idle in") { 1 } else { 2 }]);"#,
        r#"let line = format!("{} {}", a.trim_start_matches("not ready"), b);"#,
    ] {
        let sought = bad.matches("find(").count().max(1);
        for place in ["engine/a.rs", "tui/a.rs", "cli/a.rs", "report/a.rs", "features/x/a.rs"] {
            assert_eq!(found(place, bad), sought, "{place} {bad}");
        }
        assert_eq!(found("dialect/a.rs", bad), 0, "a server's texts");
    }
    for fine in [
        r#"if name.starts_with("midwatch.") {}"#,
        r#"if name.starts_with(&format!("{} ", of)) {}"#,
        r#"say("not tried yet");"#,
        r#"let all = list.join("not compared");"#,
        "let (kind, name) = id.split_once('/').unwrap();",
        "let first = list.iter().find(|l| *l == other);",
    ] {
        assert_eq!(found("tui/a.rs", fine), 0, "{fine}");
    }
    let tests = "#[cfg(test)] mod tests { #[test] fn t() { assert!(a.contains(\"b c\")); } }";
    assert!(prose(&Tree::of(&[("tui/a.rs", tests)])).is_empty());
}

#[test]
fn nothing_is_decided_by_a_finding_a_step_or_a_verb_as_text() {
    let found = breaches(Tree::src(), &words());
    let excused: Vec<String> = OTHER_WORDS.iter().map(|(path, word, _)| format!("{path} {word}")).collect();
    let left: Vec<Breach> = found.iter().filter(|b| !excused.contains(&b.key)).cloned().collect();
    hold("decisions", "no text of a finding, step or verb is compared", &left);
    for (path, word, why) in OTHER_WORDS {
        assert!(found.iter().any(|b| b.key == format!("{path} {word}")), "{path} {word} is gone: {why}");
    }
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
        r#"if what == Some("self_test") {}"#,
        r#"let known = ["other", "trigger"].contains(&what);"#,
        r#"let known = vec!["other", "trigger"].contains(&what);"#,
        r#"if *what == *"trigger" {}"#,
        r#"if what == "trigger".to_owned() {}"#,
        r#"if what == &String::from("trigger") {}"#,
        r#"if Some(&("other", "trigger")) != what {}"#,
        r#"if what == (if other { "trigger" } else { "" }) {}"#,
        r#"let known = words.contains(&"trigger".to_owned());"#,
        r#"let known = "trigger".eq(what);"#,
        r#"let known = what.eq_ignore_ascii_case("trigger");"#,
    ] {
        assert_eq!(found(bad), 1, "{bad}");
    }
    for fine in [
        r#"say("trigger");"#,
        r#"let label = if known == other { "trigger" } else { "" };"#,
        r#"if what == "triggers" {}"#,
        r#"if say("trigger") == 1 {}"#,
        r#"if body.get("trigger") == Some(&other) {}"#,
        r#"if body["trigger"] == other {}"#,
        r#"let known = list_of("trigger").contains(&what);"#,
        r#"let known = words.contains(&name_of("trigger"));"#,
        r#"if what == format!("{}", "trigger") {}"#,
    ] {
        assert_eq!(found(fine), 0, "{fine}");
    }
    let decides = r#"fn f() { if a == "trigger" {} }"#;
    let in_place = |path: &str| breaches(&Tree::of(&[(path, decides)]), &words).len();
    for bad in
        ["features/a.rs", "features/queue/a.rs", "features/switchover/ops/a.rs", "engine/a.rs", "cli/a.rs"]
    {
        assert_eq!(in_place(bad), 1, "{bad}");
    }
    // The folder whose word it is; a server's texts.
    for fine in ["features/parity/a.rs", "features/parity/pair/a.rs", "dialect/a.rs", "sandbox/a.rs"] {
        assert_eq!(in_place(fine), 0, "{fine}");
    }
    assert!(super::decisions::words().contains(&"swap-back"));
}
