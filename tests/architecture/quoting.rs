//! Names and texts are quoted by a dialect: the engine hands them over as they are.
//!
//! `Ident` and `literal` stand beside the names for the files of features that write SQL of their own: those may not
//! import a dialect.

use crate::{
    breaches::{Breach, hold},
    graph::Graph,
    sources::{Tree, within},
};

const NAMES: &str = "engine/model/name.rs";
const QUOTES: [&str; 2] = ["Ident", "literal"];

fn breaches(tree: &Tree) -> Vec<Breach> {
    let graph = Graph::of(tree);
    let quoted = graph
        .edges
        .iter()
        .filter(|e| within(&e.from, "engine") && e.to == NAMES && QUOTES.contains(&e.name.as_str()));
    quoted.map(|e| Breach::new(format!("{} {}", e.from, e.name), format!("uses {}", e.name))).collect()
}

#[test]
fn the_engine_quotes_nothing() {
    hold("quoting", "only a dialect quotes names and texts", &breaches(Tree::src()));
}

#[test]
fn a_quoted_name_is_found() {
    let names = (NAMES, "pub struct Ident; pub struct Relation; pub fn literal() {}");
    let found = |path: &str, code: &str| breaches(&Tree::declared(&[names, (path, code)])).len();
    let both = "use crate::engine::model::name::{Ident, literal};";
    assert_eq!(found("engine/plan/undo.rs", both), 2);
    assert_eq!(found("features/queue/postgres.rs", both), 0);
    assert_eq!(found("engine/plan/undo.rs", "use crate::engine::model::name::Relation;"), 0);
}
