//! Files stay small.

use crate::{
    breaches::{Breach, hold},
    sources::{Tree, root, walk},
};

const LINES: usize = 600;
/// Lines without inline tests, in `SHARE` of 100 files.
const CODE: usize = 400;
const SHARE: usize = 95;

#[test]
fn files_stay_small() {
    let mut files = Vec::new();
    for dir in ["src", "tests", "benches"] {
        walk(&root().join(dir), &mut files);
    }
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "rs")) {
        let lines = std::fs::read_to_string(file).unwrap().lines().count();
        assert!(lines <= LINES, "{} has {lines} lines", file.display());
    }
}

/// Those over the limit are listed only if they are too many.
fn large(tree: &Tree) -> Vec<Breach> {
    let large: Vec<Breach> = tree
        .files
        .iter()
        .filter(|f| f.code_lines > CODE)
        .map(|f| Breach::new(f.path.clone(), format!("{} lines of code", f.code_lines)))
        .collect();
    if large.len() * 100 > tree.files.len() * (100 - SHARE) { large } else { Vec::new() }
}

#[test]
fn most_code_is_smaller() {
    hold(
        "large_files",
        "code without its tests is at most 400 lines in 95 of 100 files",
        &large(Tree::src()),
    );
}

#[test]
fn too_many_large_files_are_found() {
    let long = "const X: u8 = 0;\n".repeat(CODE + 1);
    let few: Vec<(String, &str)> = (0..20).map(|n| (format!("f{n}.rs"), "")).collect();
    let with = |n: usize| {
        let mut files = few.clone();
        files.iter_mut().take(n).for_each(|f| f.1 = &long);
        large(&Tree::of(&files)).len()
    };
    assert_eq!((with(1), with(2)), (0, 2));
}
