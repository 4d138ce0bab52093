//! Names: no two types that others see share one, and no function has one that says nothing of what it does.

use std::collections::BTreeMap;

use crate::{
    breaches::{Breach, hold},
    sources::Tree,
};

fn doubled(tree: &Tree) -> Vec<Breach> {
    let mut places: BTreeMap<&str, Vec<(&str, usize)>> = BTreeMap::new();
    for file in &tree.files {
        for (name, line) in &file.types {
            places.entry(name).or_default().push((&file.path, *line));
        }
    }
    places.retain(|_, files| files.len() > 1);
    let each = places.into_iter().flat_map(|(name, files)| files.into_iter().map(move |f| (name, f)));
    each.map(|(name, (file, line))| Breach::new(format!("{name} {file}"), format!("src/{file}:{line}")))
        .collect()
}

#[test]
fn no_two_types_share_a_name() {
    hold("names", "no two public types of one name", &doubled(Tree::src()));
}

#[test]
fn a_second_type_of_one_name_is_found() {
    let found = |b: &str| doubled(&Tree::of(&[("a.rs", "pub struct Row;"), ("b.rs", b)])).len();
    for code in
        ["pub(crate) enum Row {}", "pub(super) type Row = u8;", "mod inner { pub(in crate::b) trait Row {} }"]
    {
        assert_eq!(found(code), 2, "{code}");
    }
    for code in
        ["struct Row;", "pub struct Rows;", "#[cfg(test)] mod tests { pub struct Row; }", "pub fn row() {}"]
    {
        assert_eq!(found(code), 0, "{code}");
    }
}

/// What comes in, what comes out, how it ends: a name that fits every function.
const SAYS_NOTHING: [&str; 6] = ["done", "of", "said", "tell", "told", "way"];

fn vague(tree: &Tree) -> Vec<Breach> {
    let named =
        tree.files.iter().flat_map(|f| f.all_functions.iter().map(move |(name, line)| (f, name, line)));
    let vague = named.filter(|(_, name, _)| SAYS_NOTHING.contains(&name.as_str()));
    vague.map(|(file, name, line)| Breach::new(name, format!("src/{}:{line}", file.path))).collect()
}

#[test]
fn a_function_s_name_says_what_it_does() {
    hold("names", "no function whose name says nothing of it", &vague(Tree::src()));
}

#[test]
fn a_name_that_says_nothing_is_found() {
    let found = |code: &str| vague(&Tree::of(&[("a.rs", code)])).len();
    for code in ["fn told() {}", "impl A { fn of() {} }", "trait A { fn done(&self); }"] {
        assert_eq!(found(code), 1, "{code}");
    }
    for code in ["fn told_apart() {}", "#[cfg(test)] mod tests { fn of() {} }", "struct A { done: u8 }"] {
        assert_eq!(found(code), 0, "{code}");
    }
}
