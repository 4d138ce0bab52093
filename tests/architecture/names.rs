//! One name, one type: no two types that others see share a name.

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
