//! Methods: what a higher layer adds to a type of a lower one, the lower ones do not meet. A call names no path, so the
//! layers' fence does not see it.

use syn::{Item, Type};

use crate::{
    breaches::{Breach, hold},
    collect::{attributes, for_tests},
    graph::Graph,
    layers::may_import,
    sources::Tree,
};

/// The types that a file gives methods of their own, by their last name; modules inside of the file too.
fn extended(items: &[Item], out: &mut Vec<String>) {
    for item in items.iter().filter(|i| !for_tests(attributes(i))) {
        match item {
            Item::Impl(block) if block.trait_.is_none() => {
                if let Type::Path(of) = &*block.self_ty {
                    out.extend(of.path.segments.last().map(|s| s.ident.to_string()));
                }
            }
            Item::Mod(module) => extended(module.content.as_ref().map_or(&[], |(_, items)| items), out),
            _ => {}
        }
    }
}

fn breaches(tree: &Tree) -> Vec<Breach> {
    let graph = Graph::of(tree);
    let mut found = Vec::new();
    for file in &tree.files {
        let mut names = Vec::new();
        extended(&syn::parse_file(&file.text).unwrap().items, &mut names);
        for edge in graph.edges.iter().filter(|e| e.from == file.path && names.contains(&e.name)) {
            // Those that know the type and may not know what adds to it.
            let knows = |e: &&crate::graph::Edge| e.to == edge.to && e.name == edge.name && e.from != edge.to;
            for lower in graph.edges.iter().filter(knows).filter(|e| !may_import(&e.from, &file.path)) {
                found.push(Breach::new(
                    format!("{} -> {} {}", lower.from, file.path, edge.name),
                    format!("methods of {} that stand higher can be called", edge.name),
                ));
            }
        }
    }
    found
}

#[test]
fn a_layer_meets_no_method_that_a_higher_one_adds() {
    hold("methods", "methods of a type stand where all who know it may look", &breaches(Tree::src()));
}

#[test]
fn a_method_from_above_is_found() {
    let state = ("engine/model/state.rs", "pub struct State;");
    let adds = "use crate::engine::model::state::State; impl State { pub fn refusal(&self) {} }";
    let gate = ("engine/gate/guard.rs", "use crate::engine::model::state::State;");
    let plan = ("engine/plan/planner.rs", "use crate::engine::model::state::State;");
    let found = |files: &[(&str, &str)]| {
        breaches(&Tree::declared(files)).into_iter().map(|b| b.key).collect::<Vec<_>>()
    };
    let journal = ("engine/journal/state.rs", adds);
    assert_eq!(found(&[state, journal, gate]), ["engine/gate/guard.rs -> engine/journal/state.rs State"]);
    assert!(found(&[state, journal, plan]).is_empty(), "who stands above may call it");
    let display =
        ("engine/journal/state.rs", "use crate::engine::model::state::State; impl Clone for State {}");
    assert!(found(&[state, display, gate]).is_empty(), "a trait's methods come with the trait");
    let own = ("engine/model/state.rs", "pub struct State; impl State { pub fn refusal(&self) {} }");
    assert!(found(&[own, gate]).is_empty());
}
