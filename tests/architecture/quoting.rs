//! Names and texts are quoted by a dialect, and names are read by it: the engine hands them over as they are.
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
    let quoted = quoted.map(|e| Breach::new(format!("{} {}", e.from, e.name), format!("uses {}", e.name)));
    quoted.chain(doubled(tree)).collect()
}

/// A quote made two by hand.
fn doubled(tree: &Tree) -> impl Iterator<Item = Breach> {
    let of_engine = tree.files.iter().filter(|f| within(&f.path, "engine") && f.path != NAMES);
    of_engine.flat_map(|f| {
        let pairs = f.literals.iter().filter(|l| ["''", "\"\"", "``"].contains(&l.text.as_str()));
        pairs.map(|l| Breach::new(format!("{} {}", f.path, l.text), format!("src/{}:{}", f.path, l.line)))
    })
}

#[test]
fn the_engine_quotes_nothing() {
    hold("quoting", "only a dialect quotes names and texts", &breaches(Tree::src()));
}

/// Where the engine reads a name by the rules of one dialect; what implements them stands beside the names.
fn read_by_one(tree: &Tree) -> Vec<Breach> {
    let parse = ["Relation".to_owned(), "parse".to_owned()];
    let of_engine = tree.files.iter().filter(|f| within(&f.path, "engine") && f.path != NAMES);
    let reads = of_engine.filter(|f| f.references.iter().any(|r| r.path.ends_with(&parse)));
    reads.map(|f| Breach::new(f.path.clone(), "uses Relation::parse")).collect()
}

#[test]
fn the_engine_reads_names_by_the_target_s_dialect() {
    hold("quoting", "only a dialect reads names", &read_by_one(Tree::src()));
    let names = (NAMES, "impl Relation { fn parse() {} fn f() { Relation::parse() } }");
    let found = |path: &str, code: &str| read_by_one(&Tree::declared(&[names, (path, code)])).len();
    for code in ["fn f() { Relation::parse() }", "fn f() { g(&crate::name::Relation::parse) }"] {
        assert_eq!(found("engine/plan/undo.rs", code), 1, "{code}");
        assert_eq!(found("features/queue/postgres.rs", code), 0, "{code}");
    }
    assert_eq!(found("engine/plan/undo.rs", "fn f(p: &dyn Fn()) { p(); dialect.parse() }"), 0);
}

#[test]
fn a_quoted_name_is_found() {
    let names = (NAMES, "pub struct Ident; pub struct Relation; pub fn literal() {}");
    let found = |path: &str, code: &str| breaches(&Tree::declared(&[names, (path, code)])).len();
    let both = "use crate::engine::model::name::{Ident, literal};";
    assert_eq!(found("engine/plan/undo.rs", both), 2);
    assert_eq!(found("features/queue/postgres.rs", both), 0);
    assert_eq!(found("engine/plan/undo.rs", "use crate::engine::model::name::Relation;"), 0);
    let by_hand = r#"fn f(a: &str) { g(format_args!("'{}'", a.replace('\'', "''"))) }"#;
    assert_eq!(found("engine/plan/undo.rs", by_hand), 1);
    assert_eq!(found("features/queue/postgres.rs", by_hand), 0);
}
