//! No dependency that nothing names: each costs build time, and each is trusted.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};

use crate::sources::root;

/// Crates that a path or a `use` may begin with: names before `::`, and names of a `use` by themselves. Comments and
/// texts are no tokens.
fn named(tokens: TokenStream, found: &mut BTreeSet<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is = |at: usize, c: char| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == c);
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => named(group.stream(), found),
            TokenTree::Ident(name) => {
                let path = is(at + 1, ':') && is(at + 2, ':');
                let used = at > 0 && matches!(&tokens[at - 1], TokenTree::Ident(word) if word == "use");
                if path || used {
                    found.insert(name.to_string());
                }
            }
            _ => {}
        }
    }
}

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn named_in(folders: &[&str]) -> BTreeSet<String> {
    let (mut paths, mut found) = (Vec::new(), BTreeSet::new());
    for folder in folders {
        files(&root().join(folder), &mut paths);
    }
    for path in paths {
        named(std::fs::read_to_string(&path).unwrap().parse().unwrap(), &mut found);
    }
    found
}

/// Dependencies of a table of the manifest that are not named.
fn unnamed(manifest: &toml::Table, table: &str, named: &BTreeSet<String>) -> Vec<String> {
    let all = manifest[table].as_table().unwrap().keys();
    all.filter(|name| !named.contains(&name.replace('-', "_"))).cloned().collect()
}

#[test]
fn every_dependency_is_used() {
    let manifest: toml::Table = std::fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    assert_eq!(unnamed(&manifest, "dependencies", &named_in(&["src"])), [""; 0]);
    let anywhere = named_in(&["src", "tests", "benches", "examples"]);
    assert_eq!(unnamed(&manifest, "dev-dependencies", &anywhere), [""; 0]);
}

#[test]
fn a_dependency_that_nothing_names_is_found() {
    let mut found = BTreeSet::new();
    let code = "use a::b; use c; // d::e\nfn f() { \"g::h\"; i::j!(x); k.l() } #[m::n] struct O;";
    named(code.parse().unwrap(), &mut found);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["a", "c", "i", "m"]);
    let manifest: toml::Table = "[dependencies]\na-b = \"1\"\nc = \"1\"".parse().unwrap();
    assert_eq!(unnamed(&manifest, "dependencies", &BTreeSet::from(["a_b".into()])), ["c"]);
}
