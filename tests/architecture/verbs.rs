//! The engine names no operation and no kind of check: features bring them.

use std::path::Path;

use crate::{
    breaches::{Breach, hold},
    registered::{kinds, verbs},
    sources::{Literal, Tree, root, within},
};

/// Verbs of the engine itself.
const OWN: [&str; 3] = ["init", "undo", "resume"];
/// The profile's schema has a section for each feature.
const SCHEMA: [&str; 2] = ["engine/profile.rs", "engine/model/profile.rs"];

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
    for file in tree.within("engine").filter(|f| !SCHEMA.iter().any(|s| within(&f.path, s))) {
        for literal in &file.literals {
            for word in named(&brought(&file.path, literal, src), words) {
                let place = format!("src/{}:{}", file.path, literal.line);
                found.push(Breach::new(format!("{} {word}", file.path), place));
            }
        }
    }
    found
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
        ("engine/profile.rs", r#"const A: &str = "fix";"#),
    ]);
    assert!(breaches(&elsewhere, &words, None).is_empty());
}
