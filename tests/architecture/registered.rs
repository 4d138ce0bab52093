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

fn implemented(name: &str) -> Vec<&'static str> {
    let files = Tree::src().files.iter();
    files.flat_map(|f| f.impls.iter().filter(|i| *i == name).map(|_| f.path.as_str())).collect()
}

#[test]
fn every_kind_of_check_is_registered() {
    let kinds = kinds();
    let files = implemented("Check");
    assert_eq!(files.len(), kinds.len(), "kinds {kinds:?}, implemented in {files:?}");
    assert_eq!(kinds.iter().collect::<BTreeSet<_>>().len(), kinds.len(), "{kinds:?}");
}

#[test]
fn every_kind_of_operation_is_registered() {
    let verbs = verbs();
    let files = implemented("Operation");
    assert_eq!(files.len(), verbs.len(), "verbs {verbs:?}, implemented in {files:?}");
    assert_eq!(verbs.iter().collect::<BTreeSet<_>>().len(), verbs.len(), "{verbs:?}");
}

/// Operations plan: whatever writes is out of their reach.
#[test]
fn operations_know_no_writer() {
    let operations: BTreeSet<&str> = implemented("Operation").into_iter().collect();
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
