//! What exists is declared and registered. The registries are named here and nowhere else among the fences.

use std::collections::BTreeSet;

use midwatch::engine::{check::kind::Check, plan::operation::Operation};

use crate::{
    graph::Graph,
    sources::{Tree, join, root, within},
};

const CHECKS: &[&dyn Check] = midwatch::features::CHECKS;
const OPERATIONS: &[&dyn Operation] = midwatch::features::OPERATIONS;
/// The journal's files.
const JOURNAL: usize = midwatch::dialect::postgres::journal::install::FILES.len();

/// Where checks and operations stand; each folder's `mod.rs` is their list.
pub(crate) const FEATURES: [&str; 1] = ["features"];

pub(crate) fn kinds() -> Vec<&'static str> {
    CHECKS.iter().map(|c| c.spec().kind).collect()
}

pub(crate) fn verbs() -> Vec<&'static str> {
    OPERATIONS.iter().map(|o| o.spec().verb).collect()
}

/// The files that implement a trait, as often as they do.
fn implemented<'t>(tree: &'t Tree, name: &str) -> Vec<&'t str> {
    let files = tree.files.iter();
    files.flat_map(|f| f.impls.iter().filter(|i| *i == name).map(|_| f.path.as_str())).collect()
}

/// What is wrong with a list: an implementation is not in it, or two have one name.
fn unlisted(tree: &Tree, name: &str, listed: &[&str]) -> Option<String> {
    let files = implemented(tree, name);
    if files.len() != listed.len() {
        return Some(format!("{name}: {listed:?} are listed, implemented in {files:?}"));
    }
    let names: BTreeSet<_> = listed.iter().collect();
    (names.len() != listed.len()).then(|| format!("{name}: a name twice in {listed:?}"))
}

#[test]
fn every_kind_of_check_is_registered() {
    assert_eq!(unlisted(Tree::src(), "Check", &kinds()), None);
}

#[test]
fn every_kind_of_operation_is_registered() {
    assert_eq!(unlisted(Tree::src(), "Operation", &verbs()), None);
}

#[test]
fn every_runner_is_registered() {
    let tasks: Vec<_> = midwatch::features::RUNNERS.iter().flat_map(|l| l.iter()).map(|r| r.task()).collect();
    assert_eq!(unlisted(Tree::src(), "Runner", &tasks), None);
}

#[test]
#[cfg(feature = "tui")]
fn every_pane_is_registered() {
    let titles: Vec<_> = midwatch::tui::pane::ALL.iter().map(|p| p.title()).collect();
    assert_eq!(unlisted(Tree::src(), "Pane", &titles), None);
}

#[test]
fn every_format_is_registered() {
    let formats: Vec<_> = midwatch::report::ALL.iter().map(|f| f.name()).collect();
    assert_eq!(unlisted(Tree::src(), "Renderer", &formats), None);
    let formats: Vec<_> = midwatch::report::table::ALL.iter().map(|f| f.name()).collect();
    assert_eq!(unlisted(Tree::src(), "RowFormat", &formats), None);
}

#[test]
fn an_implementation_that_is_in_no_list_is_found() {
    let two =
        "struct A; impl a::Runner for A {} struct B; impl Runner for B {} impl A {} impl Running for A {}";
    let tree = Tree::of(&[("a.rs", two), ("b.rs", "#[cfg(test)] mod tests { impl Runner for C {} }")]);
    assert_eq!(unlisted(&tree, "Runner", &["a", "b"]), None);
    assert_eq!(
        unlisted(&tree, "Runner", &["a"]).unwrap(),
        r#"Runner: ["a"] are listed, implemented in ["a.rs", "a.rs"]"#
    );
    assert_eq!(unlisted(&tree, "Runner", &["a", "a"]).unwrap(), r#"Runner: a name twice in ["a", "a"]"#);
}

/// Operations plan: whatever writes is out of their reach.
#[test]
fn operations_know_no_writer() {
    let operations: BTreeSet<&str> = implemented(Tree::src(), "Operation").into_iter().collect();
    assert!(!operations.is_empty());
    for edge in &Graph::src().edges {
        let plans = operations.contains(edge.from.as_str());
        let writes = matches!(edge.name.as_str(), "Writer" | "Writers" | "Approved");
        assert!(!(plans && writes), "src/{} uses {}", edge.from, edge.name);
    }
}

/// A file that no `mod` names is not compiled, and no test would miss it.
#[test]
fn every_file_is_declared() {
    let tree = Tree::src();
    let declared: BTreeSet<&str> =
        tree.files.iter().flat_map(|f| f.declared.iter().map(|(module, _)| module.as_str())).collect();
    for file in tree.files.iter().filter(|f| !matches!(f.path.as_str(), "lib.rs" | "main.rs")) {
        assert!(declared.contains(file.module.as_str()), "src/{} is in no mod line", file.path);
    }
}

#[test]
fn every_file_of_the_journal_is_listed() {
    fn files(dir: &std::path::Path) -> usize {
        let mut found = Vec::new();
        crate::sources::walk(dir, &mut found);
        found.iter().filter(|f| f.extension().is_some_and(|e| e == "sql")).count()
    }
    let own = root().join("migrations/midwatch");
    // One dialect's files are one journal.
    let postgres = own.join("postgres");
    assert_eq!(files(if postgres.is_dir() { &postgres } else { &own }), JOURNAL);
}

/// The session of a server's owner is for our own throwaway servers.
#[test]
fn the_owners_door_opens_for_the_sandbox_only() {
    let doors: Vec<String> = ["dialect"].iter().map(|d| join(d, "postgres/owner.rs")).collect();
    assert!(doors.iter().any(|d| Tree::src().file(d).is_some()));
    for edge in Graph::src().edges.iter().filter(|e| doors.contains(&e.to)) {
        let allowed = ["sandbox", "dialect/postgres"].iter().any(|p| within(&edge.from, p));
        assert!(allowed, "src/{} uses {} of {}", edge.from, edge.name, edge.to);
    }
}
