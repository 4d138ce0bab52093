//! Which file uses which: each path that a file names, followed to the file that defines it.
//!
//! `pub use` is looked through: who imports a name from a façade uses the file behind it. A path that ends at a module
//! ties nothing by itself; what is named through it does.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use crate::sources::{Def, How, Reference, Scope, Tree};

/// The crate's own name, as `main.rs` writes it.
const CRATE: &str = "midwatch";

/// A file that uses another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub(crate) from: String,
    pub(crate) to: String,
    /// The name, as its file defines it.
    pub(crate) name: String,
    /// Handed on only.
    pub(crate) reexport: bool,
}

/// All uses.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) edges: BTreeSet<Edge>,
    /// File and path, of what other crates define.
    pub(crate) outside: BTreeSet<(String, String)>,
    /// File and path, of what should be here and is not.
    pub(crate) unresolved: BTreeSet<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    Item { module: String, name: String },
    Module,
    Outside(Vec<String>),
    Lost,
}

/// How far re-exports are followed.
const DEPTH: u32 = 8;

struct Names<'a> {
    scopes: BTreeMap<&'a str, &'a Scope>,
}

fn parent(module: &str) -> String {
    module.rsplit_once("::").map_or("", |(parent, _)| parent).to_owned()
}

impl Names<'_> {
    /// What a path means in a module.
    fn resolve(&self, module: &str, path: &[String], depth: u32) -> Vec<Found> {
        let Some((first, rest)) = path.split_first() else { return vec![Found::Module] };
        match first.as_str() {
            "" => self.foreign(rest, depth),
            "crate" => {
                let root = if module.starts_with("(main)") { "(main)" } else { "" };
                self.below(root, rest, depth)
            }
            "self" => self.below(module, rest, depth),
            "super" => {
                let up = parent(module);
                match rest.first().map(String::as_str) {
                    Some("super") => self.resolve(&up, rest, depth),
                    _ => self.below(&up, rest, depth),
                }
            }
            "Self" => Vec::new(),
            _ => {
                let found = self.named(module, path, depth);
                if found.is_empty() { self.foreign(path, depth) } else { found }
            }
        }
    }

    /// What a path of another crate means; our own library is one to `main.rs`.
    fn foreign(&self, path: &[String], depth: u32) -> Vec<Found> {
        match path.split_first() {
            Some((first, rest)) if first == CRATE => self.below("", rest, depth),
            _ => vec![Found::Outside(path.to_vec())],
        }
    }

    /// What a path means below a module that it must be in.
    fn below(&self, module: &str, path: &[String], depth: u32) -> Vec<Found> {
        if path.is_empty() {
            return vec![Found::Module];
        }
        let found = self.named(module, path, depth);
        if found.is_empty() { vec![Found::Lost] } else { found }
    }

    /// What a module's own names and imports say of a path.
    fn named(&self, module: &str, path: &[String], depth: u32) -> Vec<Found> {
        let (Some(scope), Some((first, rest))) = (self.scopes.get(module), path.split_first()) else {
            return Vec::new();
        };
        if depth == 0 {
            return Vec::new();
        }
        let mut found = Vec::new();
        for def in scope.names.get(first).into_iter().flatten() {
            match def {
                Def::Item(is_type) if *is_type || rest.is_empty() => {
                    found.push(Found::Item { module: module.to_owned(), name: first.clone() });
                }
                Def::Item(_) => {}
                Def::Module(child) => {
                    found.extend(self.below(child, rest, depth).into_iter().filter(|f| *f != Found::Lost));
                }
                Def::Use(target) => {
                    let whole: Vec<String> = target.iter().chain(rest).cloned().collect();
                    found.extend(
                        self.resolve(module, &whole, depth - 1).into_iter().filter(|f| *f != Found::Lost),
                    );
                }
            }
        }
        if found.is_empty() {
            for glob in &scope.globs {
                let whole: Vec<String> = glob.iter().chain(path).cloned().collect();
                found.extend(
                    self.resolve(module, &whole, depth - 1)
                        .into_iter()
                        .filter(|f| matches!(f, Found::Item { .. })),
                );
            }
        }
        found
    }
}

impl Graph {
    /// The graph of `src`.
    pub(crate) fn src() -> &'static Self {
        static GRAPH: OnceLock<Graph> = OnceLock::new();
        GRAPH.get_or_init(|| Self::of(Tree::src()))
    }

    pub(crate) fn of(tree: &Tree) -> Self {
        let mut file_of = BTreeMap::new();
        let mut scopes = BTreeMap::new();
        for file in &tree.files {
            for (module, scope) in &file.scopes {
                file_of.insert(module.as_str(), file.path.as_str());
                scopes.insert(module.as_str(), scope);
            }
        }
        let names = Names { scopes };
        let mut graph = Self::default();
        for file in &tree.files {
            for Reference { module, path, how } in &file.references {
                for found in names.resolve(module, path, DEPTH) {
                    match found {
                        Found::Item { module, name } => {
                            let Some(to) = file_of.get(module.as_str()) else { continue };
                            if *to != file.path {
                                graph.edges.insert(Edge {
                                    from: file.path.clone(),
                                    to: (*to).to_owned(),
                                    name,
                                    reexport: *how == How::Reexport,
                                });
                            }
                        }
                        Found::Outside(path) => {
                            graph.outside.insert((file.path.clone(), path.join("::")));
                        }
                        Found::Lost => {
                            graph.unresolved.insert((file.path.clone(), path.join("::")));
                        }
                        Found::Module => {}
                    }
                }
            }
        }
        graph
    }

    /// Who uses whom, re-exports apart.
    pub(crate) fn uses(&self) -> BTreeSet<(&str, &str)> {
        self.edges.iter().filter(|e| !e.reexport).map(|e| (e.from.as_str(), e.to.as_str())).collect()
    }
}

#[test]
fn every_path_of_the_crate_is_found() {
    let graph = Graph::src();
    assert!(graph.edges.len() > 500, "{}", graph.edges.len());
    assert!(graph.unresolved.is_empty(), "{:#?}", graph.unresolved);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(files: &[(&str, &str)]) -> Vec<String> {
        let graph = Graph::of(&Tree::declared(files));
        assert!(graph.unresolved.is_empty(), "{:?}", graph.unresolved);
        graph.uses().into_iter().map(|(from, to)| format!("{from} {to}")).collect()
    }

    const FACADE: (&str, &str) = ("engine/mod.rs", "pub use error::Error; pub struct Engine;");

    #[test]
    fn a_name_from_a_facade_is_its_files() {
        let files =
            [FACADE, ("engine/error.rs", "pub struct Error;"), ("engine/plan.rs", "use super::Error;")];
        assert_eq!(uses(&files), ["engine/plan.rs engine/error.rs"]);
    }

    #[test]
    fn grouped_renamed_starred_and_inline_paths_are_followed() {
        for code in [
            "use crate::{engine::{self, Error as E}};",
            "use crate::engine as e; fn f() -> e::Error { todo!() }",
            "use super::*; fn f(_: Error) {}",
            "fn f() { let x = crate::engine::Error; }",
            "fn f() { println!(\"{:?}\", crate::engine::Error) }",
            "struct S { #[serde(with = \"crate::engine::Error\")] x: u8 }",
            "fn f() { use super::Error; }",
            "impl From<super::Error> for u8 {}",
        ] {
            let files = [FACADE, ("engine/error.rs", "pub struct Error;"), ("engine/plan.rs", code)];
            assert_eq!(uses(&files), ["engine/plan.rs engine/error.rs"], "{code}");
        }
    }

    #[test]
    fn the_program_knows_the_library_by_its_name() {
        let files = [
            FACADE,
            ("engine/error.rs", "pub struct Error;"),
            ("engine/plan.rs", ""),
            ("main.rs", "fn main() { midwatch::engine::Engine; }"),
        ];
        assert_eq!(uses(&files), ["main.rs engine/mod.rs"]);
    }

    #[test]
    fn tests_and_visibilities_tie_nothing() {
        let files = [
            FACADE,
            ("engine/error.rs", "pub struct Error; #[cfg(test)] mod tests { use crate::engine::Engine; }"),
            ("engine/plan.rs", "pub(in crate::engine) struct Plan;"),
        ];
        assert!(uses(&files).is_empty());
    }

    #[test]
    fn other_crates_are_named_in_full() {
        let graph =
            Graph::of(&Tree::of(&[("lib.rs", "use std::{time as t}; fn f() { t::Instant::now(); }")]));
        assert!(graph.outside.contains(&("lib.rs".to_owned(), "std::time::Instant::now".to_owned())));
    }

    #[test]
    fn what_is_nowhere_is_said() {
        let graph = Graph::of(&Tree::of(&[("lib.rs", "use crate::nothing::Here;")]));
        assert_eq!(graph.unresolved.len(), 1);
    }
}
