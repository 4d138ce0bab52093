//! Who may import whom. The tables are the rule; a place is a folder, a file, or both while one becomes the other.
//!
//! Paths are followed to the file that defines a name, so that a façade hides no import and invents none.

use crate::{
    breaches::{Breach, hold},
    graph::Graph,
    registered::FEATURES,
    sources::{Tree, within},
};

/// One layer: its places import only their own and what stands before.
struct Layer {
    places: &'static [&'static str],
    /// The places of this layer import each other too.
    together: bool,
}

const fn apart(places: &'static [&'static str]) -> Layer {
    Layer { places, together: false }
}

const fn together(places: &'static [&'static str]) -> Layer {
    Layer { places, together: true }
}

/// The crate, from the ground up.
const CRATE: &[Layer] = &[
    apart(&["engine"]),
    apart(&["conninfo", "disk", "stdio"]),
    together(&["dialect"]),
    apart(&["sandbox", "store", "profile", "report", "features"]),
    together(&["launch", "log", "stop"]),
    apart(&["cli", "tui"]),
    together(&["compose", "rehearse", "main.rs", "lib.rs"]),
];

/// The engine, from the ground up: folders, and the files at the top.
const ENGINE: &[Layer] = &[
    apart(&["engine/model/"]),
    apart(&["engine/gate/"]),
    apart(&["engine/port/"]),
    apart(&["engine/check/", "engine/journal/", "engine/compare/"]),
    apart(&["engine/plan/"]),
    apart(&["engine/run/"]),
    together(&["engine/changes", "engine/mod.rs"]),
];

/// Imports that no layer forbids by its height. `never` are places.
struct Rule {
    from: &'static [&'static str],
    never: &'static [&'static str],
}

const RULES: &[Rule] = &[
    // Of what stands beside the sandbox, only it knows the databases.
    Rule { from: &["store", "profile", "report", "features", "cli", "tui"], never: &["dialect"] },
    // What joins the parts takes a dialect by its scheme, from the list.
    Rule { from: &["compose", "rehearse"], never: &["dialect/postgres"] },
];

/// A feature that stands on another: all that features import of each other.
const STANDS_ON: &[(&str, &str)] = &[("switchover", "parity")];

/// What only some places may take from other crates.
struct Foreign {
    what: &'static [&'static str],
    /// Only here, or, if `not` is set, everywhere but here.
    places: &'static [&'static str],
    not: bool,
}

const FOREIGN: &[Foreign] = &[
    Foreign { what: &["sqlx", "rustls", "tokio_rustls"], places: &["dialect"], not: false },
    Foreign { what: &["ratatui", "crossterm"], places: &["tui"], not: false },
    // What is written follows no link and is read by nobody else: one file does it. The sandbox's directory is
    // the server's user's, too, and so are programs that are fetched.
    Foreign {
        what: &[
            "std::fs::write",
            "std::fs::File::create",
            "std::fs::File::create_new",
            "std::fs::File::options",
            "std::fs::OpenOptions",
            "std::fs::DirBuilder",
            "std::fs::create_dir",
            "std::fs::create_dir_all",
            "std::fs::copy",
            "std::fs::rename",
            "std::fs::hard_link",
            "std::os::unix::fs::symlink",
            "tokio::fs",
        ],
        places: &["disk", "sandbox/directory", "sandbox/postgres/fetch"],
        not: false,
    },
    // What leaves for a terminal is cleaned in one place; the console draws its own.
    Foreign { what: &["std::io::stdout", "std::io::stderr"], places: &["stdio", "tui/terminal"], not: false },
    // The engine is pure.
    Foreign {
        what: &[
            "tokio",
            "std::env",
            "std::fs",
            "std::net",
            "std::process",
            "std::thread",
            "std::time::Instant",
            "std::time::SystemTime",
            "chrono::Utc::now",
            "chrono::Local",
            "rustix",
            "whoami",
        ],
        places: &["engine"],
        not: true,
    },
];

/// `engine/model/` is the folder alone: a file of that name is not it yet.
fn stands_in(path: &str, place: &str) -> bool {
    if place.ends_with('/') { path.starts_with(place) } else { within(path, place) }
}

/// The layer and the place of a file.
fn position(table: &[Layer], path: &str) -> Option<(usize, usize)> {
    let mut at = table
        .iter()
        .enumerate()
        .flat_map(|(layer, l)| l.places.iter().enumerate().map(move |(place, name)| (layer, place, *name)));
    at.find(|(_, _, name)| stands_in(path, name)).map(|(layer, place, _)| (layer, place))
}

/// May a file import another, by the layers of both?
fn allowed(table: &[Layer], from: &str, to: &str) -> bool {
    let (Some(from), Some(to)) = (position(table, from), position(table, to)) else { return true };
    let together = table.get(from.0).is_some_and(|l| l.together);
    to.0 < from.0 || to == from || (to.0 == from.0 && together)
}

/// The feature that a file belongs to; the lists of all features belong to none.
fn feature(path: &str) -> Option<&str> {
    let folder = FEATURES.iter().find(|f| within(path, f))?;
    let name = path.strip_prefix(folder)?.trim_start_matches('/').split(['/', '.']).next()?;
    (name != "mod" && !name.is_empty()).then_some(name)
}

fn features_apart(from: &str, to: &str) -> bool {
    match (feature(from), feature(to)) {
        (Some(a), Some(b)) => a == b || STANDS_ON.contains(&(a, b)),
        _ => true,
    }
}

/// Statements of a feature in one dialect: only the feature's list of dialects takes them.
fn of_one_dialect(from: &str, to: &str) -> bool {
    let (Some(name), Some(folder)) = (feature(to), FEATURES.iter().find(|f| within(to, f))) else {
        return true;
    };
    let own = |path: &str| within(path, &format!("{folder}/{name}/postgres"));
    !own(to) || own(from) || from == format!("{folder}/{name}/dialects.rs")
}

fn ruled(from: &str, to: &str) -> bool {
    let names = |places: &[&str], path: &str| places.iter().any(|p| stands_in(path, p));
    !RULES.iter().any(|r| names(r.from, from) && names(r.never, to))
}

/// Does a path begin with another, by whole segments?
fn begins(path: &str, with: &str) -> bool {
    path.strip_prefix(with).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// May a file import another?
pub(crate) fn may_import(from: &str, to: &str) -> bool {
    allowed(CRATE, from, to)
        && allowed(ENGINE, from, to)
        && features_apart(from, to)
        && of_one_dialect(from, to)
        && ruled(from, to)
}

fn breaches(tree: &Tree) -> Vec<Breach> {
    let graph = Graph::of(tree);
    let mut found = Vec::new();
    for edge in &graph.edges {
        let (from, to) = (&edge.from, &edge.to);
        if !may_import(from, to) {
            let how = if edge.reexport { "hands on" } else { "uses" };
            found.push(Breach::new(format!("{from} -> {to} {}", edge.name), format!("{how} {}", edge.name)));
        }
    }
    for (file, path) in &graph.outside {
        for rule in FOREIGN.iter().filter(|r| r.what.iter().any(|w| begins(path, w))) {
            if rule.places.iter().any(|p| within(file, p)) == rule.not {
                found.push(Breach::new(format!("{file} -> {path}"), format!("uses {path}")));
            }
        }
    }
    for file in &tree.files {
        if position(CRATE, &file.path).is_none() {
            found.push(Breach::new(format!("{} in no layer", file.path), "in no layer of the crate"));
        }
        if within(&file.path, "engine") && position(ENGINE, &file.path).is_none() {
            found.push(Breach::new(format!("{} in no layer", file.path), "in no layer of the engine"));
        }
    }
    found
}

#[test]
fn imports_go_down() {
    hold("layers", "the layers of tests/architecture/layers.rs", &breaches(Tree::src()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        breaches(&Tree::declared(files)).into_iter().map(|b| b.key).collect()
    }

    #[test]
    fn what_stands_higher_is_not_imported() {
        for (from, use_, to) in [
            ("engine/model/error.rs", "use crate::engine::plan::diff::X;", "engine/plan/diff.rs"),
            ("engine/check/mod.rs", "use crate::engine::journal::X;", "engine/journal/mod.rs"),
            ("engine/run/mod.rs", "use crate::engine::X;", "engine/mod.rs"),
            ("engine/port/mod.rs", "fn f(_: crate::dialect::X) {}", "dialect/mod.rs"),
            ("dialect/mod.rs", "use super::sandbox::X;", "sandbox/mod.rs"),
            ("store/mod.rs", "use crate::dialect::X;", "dialect/mod.rs"),
            ("features/queue/mod.rs", "use crate::store::X;", "store/mod.rs"),
            ("features/queue/mod.rs", "use crate::features::parity::X;", "features/parity/mod.rs"),
            ("features/parity/mod.rs", "use super::switchover::X;", "features/switchover/mod.rs"),
            (
                "features/queue/a.rs",
                "use crate::features::queue::postgres as sql; fn f(_: sql::X) {}",
                "features/queue/postgres.rs",
            ),
            (
                "features/switchover/a.rs",
                "use crate::features::parity::postgres::X;",
                "features/parity/postgres/mod.rs",
            ),
            ("tui/mod.rs", "use crate::cli::X;", "cli/mod.rs"),
            ("cli/mod.rs", "use crate::tui::X;", "tui/mod.rs"),
            ("cli/mod.rs", "fn f() { format!(\"{}\", crate::dialect::X); }", "dialect/mod.rs"),
            ("compose.rs", "use crate::dialect::postgres::X;", "dialect/postgres/mod.rs"),
        ] {
            assert_eq!(
                found(&[(from, use_), (to, "pub struct X;")]),
                [format!("{from} -> {to} X")],
                "{use_}"
            );
        }
    }

    #[test]
    fn what_stands_lower_is() {
        for (from, use_, to) in [
            ("engine/plan/mod.rs", "use crate::engine::model::error::X;", "engine/model/error.rs"),
            ("engine/mod.rs", "use self::run::X;", "engine/run/mod.rs"),
            ("sandbox/mod.rs", "use crate::dialect::X;", "dialect/mod.rs"),
            ("features/switchover/mod.rs", "use crate::features::parity::X;", "features/parity/mod.rs"),
            ("features/mod.rs", "use self::queue::X;", "features/queue/mod.rs"),
            ("features/queue/dialects.rs", "use super::postgres::X;", "features/queue/postgres.rs"),
            ("features/queue/postgres/a.rs", "use super::X;", "features/queue/postgres/mod.rs"),
            ("tui/mod.rs", "use crate::features::queue::X;", "features/queue/mod.rs"),
        ] {
            assert!(found(&[(from, use_), (to, "pub struct X;")]).is_empty(), "{from}: {use_}");
        }
    }

    #[test]
    fn a_facade_hides_no_import() {
        let files = [
            ("engine/mod.rs", "pub use crate::dialect::Driver;"),
            ("engine/model/mod.rs", "use crate::engine::Driver;"),
            ("dialect/mod.rs", "pub struct Driver;"),
        ];
        let expected =
            ["engine/mod.rs -> dialect/mod.rs Driver", "engine/model/mod.rs -> dialect/mod.rs Driver"];
        assert_eq!(found(&files), expected);
    }

    #[test]
    fn other_crates_stay_where_they_belong() {
        assert_eq!(
            found(&[(
                "engine/mod.rs",
                "use chrono::Utc; use std::{time, fs}; fn f() { Utc::now(); time::Instant::now(); sqlx::query; }"
            )]),
            [
                "engine/mod.rs -> chrono::Utc::now",
                "engine/mod.rs -> sqlx::query",
                "engine/mod.rs -> std::fs",
                "engine/mod.rs -> std::time::Instant::now",
            ]
        );
        assert_eq!(found(&[("cli/mod.rs", "use ratatui::Frame;")]), ["cli/mod.rs -> ratatui::Frame"]);
        assert_eq!(
            found(&[(
                "cli/mod.rs",
                "use std::{fs, fs::File}; fn f() { fs::write(); File::create(); fs::read(); }"
            )]),
            ["cli/mod.rs -> std::fs::File::create", "cli/mod.rs -> std::fs::write"]
        );
        assert!(found(&[("dialect/mod.rs", "use sqlx::query; use std::fs;")]).is_empty());
    }

    #[test]
    fn a_file_outside_every_layer_is_said() {
        assert_eq!(found(&[("other.rs", "")]), ["other.rs in no layer"]);
        assert_eq!(found(&[("engine/plan.rs", "")]), ["engine/plan.rs in no layer"]);
    }
}
