//! No import cycle between files.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    breaches::{Breach, hold},
    graph::Graph,
    sources::Tree,
};

/// Files that import each other in a loop, larger loops first.
fn cycles<'a>(uses: &BTreeSet<(&'a str, &'a str)>) -> Vec<BTreeSet<&'a str>> {
    let mut reach: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in uses {
        next.entry(from).or_default().push(to);
    }
    for from in next.keys() {
        let mut seen = BTreeSet::new();
        let mut open = vec![*from];
        while let Some(at) = open.pop() {
            for to in next.get(at).into_iter().flatten() {
                if seen.insert(*to) {
                    open.push(to);
                }
            }
        }
        reach.insert(from, seen);
    }
    let mut found: Vec<BTreeSet<&str>> = Vec::new();
    for (file, reached) in &reach {
        let back = |other: &&str| reach.get(*other).is_some_and(|r| r.contains(file));
        let loop_: BTreeSet<&str> = reached.iter().copied().filter(back).collect();
        if loop_.len() > 1 && !found.contains(&loop_) {
            found.push(loop_);
        }
    }
    found.sort_by_key(|c| std::cmp::Reverse(c.len()));
    found
}

fn breaches(tree: &Tree) -> Vec<Breach> {
    let graph = Graph::of(tree);
    let uses = graph.uses();
    let cycles = cycles(&uses);
    let mut breaches = Vec::new();
    for (number, files) in cycles.iter().enumerate() {
        for (from, to) in uses.iter().filter(|(from, to)| files.contains(from) && files.contains(to)) {
            let names: Vec<&str> = graph
                .edges
                .iter()
                .filter(|e| e.from == *from && e.to == *to && !e.reexport)
                .map(|e| e.name.as_str())
                .collect();
            let shown = format!("in cycle {} of {} files, by {}", number + 1, files.len(), names.join(", "));
            breaches.push(Breach::new(format!("{from} -> {to}"), shown));
        }
    }
    breaches
}

#[test]
fn no_files_import_each_other_in_a_loop() {
    hold("cycles", "no import cycle between files", &breaches(Tree::src()));
}

#[test]
fn a_loop_is_found() {
    let found = |files: &[(&str, &str)]| {
        breaches(&Tree::declared(files)).into_iter().map(|b| b.key).collect::<Vec<_>>()
    };
    let a = ("a.rs", "use crate::b::B; pub struct A;");
    let b = ("b.rs", "use crate::c::C; pub struct B;");
    let c = ("c.rs", "use crate::a::A; pub struct C;");
    assert_eq!(found(&[a, b, c]), ["a.rs -> b.rs", "b.rs -> c.rs", "c.rs -> a.rs"]);
    assert!(found(&[a, b, ("c.rs", "pub struct C;")]).is_empty());
    assert!(found(&[a, b, ("c.rs", "pub struct C; #[cfg(test)] mod tests { use crate::a::A; }")]).is_empty());
}

/// A parent that declares and re-exports is in no loop; one whose own type is used from below is, once it uses what is below.
#[test]
fn a_parent_closes_a_loop_by_what_it_uses() {
    let found = |parent: &str| {
        let child = ("p/child.rs", "pub struct Child; fn f(_: super::Parent) {}");
        breaches(&Tree::declared(&[("p/mod.rs", parent), child])).len()
    };
    assert_eq!(found("pub use child::Child; pub struct Parent;"), 0);
    assert_eq!(found("pub use child::Child; pub struct Parent(Child);"), 2);
    assert_eq!(found("use child::Child; pub struct Parent;"), 2);
}
