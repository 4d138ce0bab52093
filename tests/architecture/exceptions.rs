//! Lists of what broke a fence when it was made. A list may only shrink: a breach that is not listed fails, and so does a
//! listed one that is gone.
//!
//! `MIDWATCH_FENCES=write` writes the lists anew, for renames; a list that would become longer is refused, unless its file
//! is deleted first. `MIDWATCH_FENCES=show` with `--nocapture` prints every breach with its line.

use std::{collections::BTreeMap, path::PathBuf};

use crate::sources::root;

/// A place where a rule is broken.
#[derive(Debug, Clone)]
pub(crate) struct Breach {
    /// What is listed; several breaches of one key are counted.
    pub(crate) key: String,
    /// For who reads a failure: line and text.
    pub(crate) shown: String,
}

impl Breach {
    pub(crate) fn new(key: impl Into<String>, shown: impl Into<String>) -> Self {
        Self { key: key.into(), shown: shown.into() }
    }
}

type Counts = BTreeMap<String, usize>;

fn file(fence: &str) -> PathBuf {
    root().join("tests/architecture/exceptions").join(format!("{fence}.txt"))
}

fn parse(text: &str) -> Counts {
    text.lines()
        .map(|line| match line.rsplit_once(" × ") {
            Some((key, count)) => (key.to_owned(), count.parse().unwrap()),
            None => (line.to_owned(), 1),
        })
        .collect()
}

fn print(counts: &Counts) -> String {
    counts
        .iter()
        .map(|(key, count)| if *count == 1 { format!("{key}\n") } else { format!("{key} × {count}\n") })
        .collect()
}

fn count(breaches: &[Breach]) -> Counts {
    let mut counts = Counts::new();
    for breach in breaches {
        *counts.entry(breach.key.clone()).or_default() += 1;
    }
    counts
}

/// What is wrong with a list.
fn compare(listed: &Counts, breaches: &[Breach]) -> Vec<String> {
    let found = count(breaches);
    let mut wrong = Vec::new();
    for (key, n) in &found {
        let allowed = listed.get(key).copied().unwrap_or(0);
        if *n > allowed {
            wrong.push(format!("{key}: {n} where {allowed} are listed"));
            wrong.extend(breaches.iter().filter(|b| b.key == *key).map(|b| format!("    {}", b.shown)));
        }
    }
    for (key, n) in listed {
        let left = found.get(key).copied().unwrap_or(0);
        if left < *n {
            wrong.push(format!("{key}: {n} listed, {left} left: remove it, the list only shrinks"));
        }
    }
    wrong
}

/// Fails unless exactly the listed breaches are there.
pub(crate) fn hold(fence: &str, rule: &str, breaches: &[Breach]) {
    let path = file(fence);
    let before = std::fs::read_to_string(&path).ok();
    let listed = parse(before.as_deref().unwrap_or_default());
    let mode = std::env::var("MIDWATCH_FENCES").unwrap_or_default();
    if mode == "show" {
        for breach in breaches {
            println!("{fence}: {}: {}", breach.key, breach.shown);
        }
    }
    if mode == "write" {
        let found = count(breaches);
        let (was, is) = (listed.values().sum::<usize>(), found.values().sum::<usize>());
        assert!(
            before.is_none() || is <= was,
            "{fence}: {is} breaches where {was} are listed: {rule}\n{}",
            compare(&listed, breaches).join("\n")
        );
        if found.is_empty() {
            // No list is left: an empty file would say nothing.
            let _ = std::fs::remove_file(&path);
        } else {
            std::fs::write(&path, print(&found)).unwrap();
        }
        return;
    }
    let wrong = compare(&listed, breaches);
    assert!(
        wrong.is_empty(),
        "{fence}: {rule}\n{}\n\nexceptions: tests/architecture/exceptions/{fence}.txt; after a rename write them anew: \
         MIDWATCH_FENCES=write cargo test --test architecture\n",
        wrong.join("\n")
    );
}

#[test]
fn a_list_only_shrinks() {
    let at = |key: &str| Breach::new(key, format!("{key}:7"));
    let listed = parse("a\nb × 2\n");
    assert_eq!(print(&listed), "a\nb × 2\n");
    assert!(compare(&listed, &[at("a"), at("b"), at("b")]).is_empty());
    let more = compare(&listed, &[at("a"), at("b"), at("b"), at("b"), at("c")]);
    assert!(more.iter().any(|w| w.starts_with("b: 3 where 2")), "{more:?}");
    assert!(more.iter().any(|w| w.starts_with("c: 1 where 0")), "{more:?}");
    let less = compare(&listed, &[at("b")]);
    assert!(less.iter().any(|w| w.starts_with("a: 1 listed, 0 left")), "{less:?}");
    assert!(less.iter().any(|w| w.starts_with("b: 2 listed, 1 left")), "{less:?}");
}
