//! The engine names no operation, no kind of check and no feature: features bring them.

use std::{collections::BTreeSet, path::Path};

use crate::{
    breaches::{Breach, hold},
    registered::{FEATURES, kinds, verbs},
    sources::{Literal, Tree, root, within},
};

/// Verbs of the engine itself.
const OWN: [&str; 4] = ["init", "journal-accept", "undo", "resume"];
/// The profile's schema has a section for each feature.
const SCHEMA: &str = "engine/model/profile.rs";

fn words() -> Vec<&'static str> {
    verbs().into_iter().chain(kinds()).filter(|w| !OWN.contains(w)).collect()
}

/// The words that a text names: it is the word, has it in SQL's quotes, or tells how to plan it.
fn named<'a>(text: &str, words: &[&'a str]) -> Vec<&'a str> {
    let plans = |word: &str| {
        text.split("midwatch plan ").skip(1).any(|rest| {
            rest.strip_prefix(word).is_some_and(|after| {
                !after.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '_'))
            })
        })
    };
    words
        .iter()
        .copied()
        .filter(|word| text == *word || text.contains(&format!("'{word}'")) || plans(word))
        .collect()
}

/// The text that a literal brings: a file's own, if it includes one.
fn brought(file: &str, literal: &Literal, src: Option<&Path>) -> String {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let path = src.filter(|_| literal.included).map(|src| src.join(folder).join(&literal.text));
    match path {
        Some(path) => std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())),
        None => literal.text.clone(),
    }
}

fn breaches(tree: &Tree, words: &[&str], src: Option<&Path>) -> Vec<Breach> {
    let mut found = Vec::new();
    for file in tree.within("engine").filter(|f| !within(&f.path, SCHEMA)) {
        for literal in &file.literals {
            for word in named(&brought(&file.path, literal, src), words) {
                let place = format!("src/{}:{}", file.path, literal.line);
                found.push(Breach::new(format!("{} {word}", file.path), place));
            }
        }
    }
    found
}

/// The words of the features, as their folders and in the singular.
fn features(tree: &Tree) -> BTreeSet<String> {
    let files = FEATURES.iter().flat_map(|place| {
        tree.within(place)
            .filter_map(move |f| f.path.strip_prefix(place)?.trim_start_matches('/').split_once('/'))
    });
    let one = |word: &str| match word.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => word.trim_end_matches('s').to_owned(),
    };
    files.flat_map(|(folder, _)| [folder.to_owned(), one(folder)]).collect()
}

/// The words of a name, small: of `ParityEvidence` and of `parity_evidence` the same.
fn parts(name: &str) -> Vec<String> {
    let mut apart = String::new();
    for c in name.chars() {
        if c.is_uppercase() {
            apart.push('_');
        }
        apart.extend(c.to_lowercase());
    }
    apart.split('_').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Types and functions of the engine, for others to see, that are called after a feature.
fn called_after_features(tree: &Tree, features: &BTreeSet<String>) -> Vec<Breach> {
    let files = tree.within("engine").filter(|f| !within(&f.path, SCHEMA));
    let names = files.flat_map(|f| f.types.iter().chain(&f.functions).map(move |name| (f, name)));
    names
        .filter(|(_, (name, _))| parts(name).iter().any(|part| features.contains(part)))
        .map(|(f, (name, line))| Breach::new(format!("{} {name}", f.path), format!("src/{}:{line}", f.path)))
        .collect()
}

#[test]
fn no_type_and_no_function_of_the_engine_is_called_after_a_feature() {
    let features = features(Tree::src());
    assert!(features.contains("anomaly") && features.contains("parity"), "{features:?}");
    let found = called_after_features(Tree::src(), &features);
    hold("verbs", "no feature's name in the engine's types and functions", &found);
}

#[test]
fn a_name_after_a_feature_is_found() {
    let found = |code: &str| {
        let tree = Tree::of(&[
            ("engine/a.rs", code),
            ("features/parity/mod.rs", ""),
            ("features/anomalies/check.rs", ""),
            ("features/mod.rs", ""),
        ]);
        called_after_features(&tree, &features(&tree)).into_iter().map(|b| b.key).collect::<Vec<_>>()
    };
    assert_eq!(found("pub trait ParityEvidence { fn proof(&self); }"), ["engine/a.rs ParityEvidence"]);
    assert_eq!(found("pub(in crate::engine) struct AnomalyRule;"), ["engine/a.rs AnomalyRule"]);
    for code in [
        "pub fn last_parity() {}",
        "struct S; impl S { pub fn last_parity(&self) {} }",
        "pub trait T { fn last_parity(&self); }",
    ] {
        assert_eq!(found(code), ["engine/a.rs last_parity"], "{code}");
    }
    for fine in ["struct ParityEvidence;", "pub struct Disparity;", "fn parity() {}", "pub fn anomalous() {}"]
    {
        assert!(found(fine).is_empty(), "{fine}");
    }
}

#[test]
fn the_engine_names_no_verb_and_no_kind() {
    let src = root().join("src");
    let found = breaches(Tree::src(), &words(), Some(&src));
    hold("verbs", "no verb and no kind of check in the engine's texts", &found);
}

#[test]
fn a_word_in_quotes_is_found() {
    let words = ["switchover", "fix"];
    let found = |code: &str| {
        let tree = Tree::of(&[("engine/a.rs", format!("fn f() {{ {code} }}"))]);
        breaches(&tree, &words, None).into_iter().map(|b| b.key).collect::<Vec<_>>()
    };
    assert_eq!(found(r#"if verb == "switchover" {}"#), ["engine/a.rs switchover"]);
    assert_eq!(found(r#"matches!(verb, "fix")"#), ["engine/a.rs fix"]);
    assert_eq!(found(r#"format!("where operation in ('fix', '{}')", 1)"#), ["engine/a.rs fix"]);
    assert_eq!(found(r#"hint("run midwatch plan switchover first")"#), ["engine/a.rs switchover"]);
    for fine in [r#""fix that first""#, r#""midwatch plan fixture""#, r#"#[serde(rename = "fix")] struct S;"#]
    {
        assert!(found(fine).is_empty(), "{fine}");
    }
    let elsewhere = Tree::of(&[
        ("features/a.rs", r#"const A: &str = "fix";"#),
        ("engine/model/profile.rs", r#"const A: &str = "fix";"#),
    ]);
    assert!(breaches(&elsewhere, &words, None).is_empty());
}
